//! Deliveries: what became of events on their way to subscriptions.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attempts::AttemptView;
use crate::api::Api;
use crate::api::http::access::{Manages, Reads};
use crate::api::http::extract::{self, OptionalJsonBody, PathParams, Query};
use crate::api::http::page::{self, Limit, Page};
use crate::api::http::problem::Problem;
use crate::deliver;
use crate::error::{Code, Error};
use crate::task::unbroken;
use hookmill_model::{Delivery, DeliveryId, DeliveryState, EventId, EventType, Pattern, SpaceId, SubscriptionId};
use hookmill_store::{Command, Commanded, DeliveryFilter};

/// A page of the list.
type DeliveryPage = Page<DeliverySummary>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list_deliveries))
        .routes(routes!(get_delivery))
        .routes(routes!(cancel_delivery))
        .routes(routes!(resend_delivery))
}

/// Which deliveries, and which page of them.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeliveriesQuery {
    /// In this state.
    #[param(value_type = Option<DeliveryStateName>)]
    state: Option<DeliveryState>,
    /// Of this subscription.
    #[param(value_type = Option<String>)]
    subscription: Option<SubscriptionId>,
    /// Of this event.
    #[param(value_type = Option<String>)]
    event: Option<EventId>,
    /// Of events of this type, or of the types below a word: `lead.*`.
    #[param(value_type = Option<String>)]
    event_type: Option<Pattern>,
    /// Of events accepted at or after this time.
    #[serde(default, deserialize_with = "extract::time")]
    since: Option<Timestamp>,
    /// Of events accepted before this time.
    #[serde(default, deserialize_with = "extract::time")]
    until: Option<Timestamp>,
    /// Entries of the page at most.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Where a delivery stands.
#[derive(ToSchema)]
#[schema(as = DeliveryState, rename_all = "snake_case")]
#[expect(dead_code, reason = "stands in the document for the model's state, which knows nothing of documents")]
pub(super) enum DeliveryStateName {
    /// Waits for its due time, or is being sent.
    Pending,
    /// Its subscription is paused; goes on when that is activated.
    Held,
    /// The receiver took it.
    Delivered,
    /// Given up: out of attempts, or an attempt failed for good.
    Failed,
    /// The plugin decided that there is nothing to send.
    Skipped,
    /// Cancelled by a caller, or its subscription was deleted.
    Cancelled,
}

/// A delivery, without its attempts.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
struct DeliverySummary {
    /// Its id, the `webhook-id` that the receiver sees.
    #[schema(value_type = String)]
    id: DeliveryId,
    /// Whose it is.
    #[schema(value_type = String)]
    subscription_id: SubscriptionId,
    /// What happened.
    #[schema(value_type = String)]
    event_id: EventId,
    /// The event's type.
    #[schema(value_type = String)]
    event_type: EventType,
    /// How many events it carries: several if they were gathered, of which `event_id` is the first.
    event_count: u32,
    /// Whether somebody asked for it as a test.
    test: bool,
    /// Where it stands.
    #[schema(value_type = DeliveryStateName)]
    state: DeliveryState,
    /// The same in the words of LeadSquared: `In Queue`, `Success` or `Failure`; null if nothing was to be sent.
    #[schema(required)]
    status: Option<LeadSquaredStatus>,
    /// Attempts made so far.
    attempt_count: u32,
    /// When the next attempt is due; when the last was, once the state is final.
    due_at: Timestamp,
    /// When its event was accepted.
    accepted_at: Timestamp,
    /// When it became final; null while it is not.
    #[schema(required)]
    completed_at: Option<Timestamp>,
    /// Why it ended as it did, or why the last attempt failed; null if there is nothing to say.
    #[schema(required)]
    reason: Option<String>,
}

impl From<Delivery> for DeliverySummary {
    fn from(delivery: Delivery) -> Self {
        let Delivery {
            id, subscription_id, event, batched, test, state, attempts, due_at, completed_at, reason, ..
        } = delivery;
        Self {
            id,
            subscription_id,
            event_id: event.id.clone(),
            event_type: event.kind.clone(),
            event_count: 1 + batched,
            test,
            state,
            status: status(state),
            attempt_count: attempts,
            due_at,
            accepted_at: event.accepted_at,
            completed_at,
            reason,
        }
    }
}

/// A delivery's state in the words of LeadSquared ("Webhook History").
#[derive(Serialize, ToSchema)]
enum LeadSquaredStatus {
    /// Pending or held.
    #[serde(rename = "In Queue")]
    InQueue,
    /// Delivered.
    Success,
    /// Failed.
    Failure,
}

fn status(state: DeliveryState) -> Option<LeadSquaredStatus> {
    match state {
        DeliveryState::Pending | DeliveryState::Held => Some(LeadSquaredStatus::InQueue),
        DeliveryState::Delivered => Some(LeadSquaredStatus::Success),
        DeliveryState::Failed => Some(LeadSquaredStatus::Failure),
        DeliveryState::Skipped | DeliveryState::Cancelled => None,
    }
}

/// A delivery with all that was tried.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryDetails)]
struct DeliveryView {
    #[serde(flatten)]
    delivery: DeliverySummary,
    /// All its events, in the order in which they were accepted.
    #[schema(value_type = Vec<String>)]
    event_ids: Vec<EventId>,
    /// Its attempts, oldest first.
    attempts: Vec<AttemptView>,
}

/// Lists deliveries, newest first.
///
/// Without their attempts. Filters combine: a delivery has to match all that are given.
#[utoipa::path(get, path = "/v1/spaces/{space}/deliveries", tag = "deliveries", params(DeliveriesQuery),
    responses((status = 200, body = DeliveryPage)))]
async fn list_deliveries(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<DeliveryPage>, Error> {
    let DeliveriesQuery { state, subscription, event, event_type, since, until, limit, cursor } = query;
    let before = page::after(cursor.as_deref())?;
    let filter = DeliveryFilter { state, subscription, event, event_type, since, until, before };
    let found = api.host.store.deliveries(&space, filter, limit.ask()).await?;
    Ok(Json(Page::new(found, limit, |delivery| delivery.id, DeliverySummary::from)))
}

/// Returns a delivery with its attempts.
///
/// Each attempt has the request as it was sent, the receiver's response, the timings, and what the plugin used and
/// logged.
#[utoipa::path(get, path = "/v1/spaces/{space}/deliveries/{delivery}", tag = "deliveries",
    responses((status = 200, body = DeliveryView)))]
async fn get_delivery(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<DeliveryView>, Error> {
    let id: DeliveryId = params.get("delivery")?;
    let found = api.host.store.delivery(&space, id).await?;
    let (delivery, attempts) = found.ok_or_else(|| Error::not_found("delivery", id))?;
    let attempts = attempts.into_iter().map(AttemptView::from).collect();
    let event_ids = delivery.events().map(|event| event.id.clone()).collect();
    Ok(Json(DeliveryView { delivery: delivery.into(), event_ids, attempts }))
}

/// Cancels a delivery.
///
/// It has to be pending or held. Nothing more is sent.
#[utoipa::path(post, path = "/v1/spaces/{space}/deliveries/{delivery}/cancel", tag = "deliveries", responses(
    (status = 200, body = DeliverySummary),
    (status = 409, body = Problem, content_type = "application/problem+json",
        description = "delivery_state or delivery_in_flight")))]
async fn cancel_delivery(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<DeliverySummary>, Error> {
    let id = params.get("delivery")?;
    command(&api, &space, id, Command::Cancel).await.map(Json)
}

/// What is sent again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResendInput {
    /// `fresh` transforms the events anew, with the subscription as it is now; `verbatim` sends what was sent last, byte
    /// for byte, signed anew.
    #[serde(default)]
    mode: ResendMode,
}

/// How a delivery is sent again.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ResendMode {
    /// Transformed anew.
    #[default]
    Fresh,
    /// As it was sent last.
    Verbatim,
}

/// Resends a delivery now.
///
/// Whatever its state; one that waits for its next attempt does not wait any longer. It keeps its id, so a receiver
/// that has seen it can recognize it.
#[utoipa::path(post, path = "/v1/spaces/{space}/deliveries/{delivery}/resend", tag = "deliveries",
    request_body = Option<ResendInput>,
    responses(
        (status = 202, body = DeliverySummary),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "delivery_state, delivery_in_flight or subscription_state")))]
async fn resend_delivery(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    OptionalJsonBody(input): OptionalJsonBody<ResendInput>,
) -> Result<(StatusCode, Json<DeliverySummary>), Error> {
    let verbatim = matches!(input.mode, ResendMode::Verbatim);
    let id = params.get("delivery")?;
    let found = api.host.store.delivery(&space, id).await?;
    let (delivery, attempts) = found.ok_or_else(|| Error::not_found("delivery", id))?;
    let Some(live) = api.host.registry.get(delivery.subscription_id) else {
        let detail = format!("the subscription {} was deleted", delivery.subscription_id);
        return Err(Error::new(Code::SubscriptionState, detail));
    };
    let last = attempts.iter().rev().find_map(|attempt| attempt.request.as_ref());
    if verbatim && last.is_some_and(|sent| !deliver::may_repeat(sent, &live.subscription)) {
        return Err(Error::new(Code::DeliveryState, deliver::MOVED));
    }
    let delivery = command(&api, &space, id, Command::Resend { verbatim }).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery)))
}

async fn read(api: &Api, space: &SpaceId, id: DeliveryId) -> Result<DeliverySummary, Error> {
    let found = api.host.store.delivery(space, id).await?;
    found.map(|(delivery, _)| delivery.into()).ok_or_else(|| Error::not_found("delivery", id))
}

/// Carries out a command, and reads what it made of the delivery.
async fn command(api: &Api, space: &SpaceId, id: DeliveryId, command: Command) -> Result<DeliverySummary, Error> {
    let (host, of) = (api.host.clone(), space.clone());
    let commanded = unbroken(async move {
        let now = host.clock.now();
        let commanded = host.store.command(&of, id, command, now).await?;
        if matches!(command, Command::Resend { .. }) && commanded == Commanded::Done {
            host.inbox.alarm().due(now);
        }
        Ok::<_, Error>(commanded)
    })
    .await?;
    match (commanded, command) {
        (Commanded::Done, _) => read(api, space, id).await,
        (Commanded::Unknown, _) => Err(Error::not_found("delivery", id)),
        (Commanded::InFlight, _) => {
            Err(Error::new(Code::DeliveryInFlight, "the delivery is being sent at this moment: ask again"))
        }
        (Commanded::NothingSent, _) => {
            let detail = "nothing of the delivery was sent that could be sent again exactly: use the mode `fresh`";
            Err(Error::new(Code::DeliveryState, detail))
        }
        (Commanded::NotIn(state), Command::Cancel) => {
            let detail = format!("the delivery is {}: there is nothing left to cancel", state.as_str());
            Err(Error::new(Code::DeliveryState, detail))
        }
        (Commanded::NotIn(state), Command::Resend { .. }) => {
            let detail = format!("the delivery is {}: activate its subscription, and it goes on", state.as_str());
            Err(Error::new(Code::DeliveryState, detail))
        }
    }
}
