//! Deliveries: listing, reading, canceling and resending them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hookmill_model::{
    Delivery, DeliveryId, DeliveryState, EventId, EventType, FaultCode, FieldPath, Pattern, SpaceId, SubscriptionId,
};
use hookmill_store::{Command, Commanded, DeliveryFilter, DeliveryHead, StatusFilter};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attempts::AttemptView;
use super::indexed;
use super::names::FaultCodeName;
use crate::Api;
use crate::http::access::{Manages, Reads};
use crate::http::extract::{self, OptionalJsonBody, PathParams, Query};
use crate::http::memory::{LARGE_BYTES, PAGE_BYTES, ResponseBytes};
use crate::http::page::{self, Limit, Page};
use crate::http::problem::Problem;
use hookmill_server::deliver;
use hookmill_server::error::{Code, Error};
use hookmill_server::subscriptions::profile;
use hookmill_server::task::unbroken;

/// The longest text to search reasons for: longer than what a person types.
const REASON_CHARS_MAX: usize = 200;

/// A page of deliveries.
type DeliveryPage = Page<DeliverySummary>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list_deliveries))
        .routes(routes!(get_delivery))
        .routes(routes!(cancel_delivery))
        .routes(routes!(resend_delivery))
}

/// The filter and the page of a list of deliveries.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeliveriesQuery {
    /// Only deliveries in this state.
    #[param(value_type = Option<DeliveryStateName>)]
    state: Option<DeliveryState>,
    /// Only deliveries to this subscription.
    #[param(value_type = Option<String>)]
    subscription: Option<SubscriptionId>,
    /// Only deliveries of this event.
    #[param(value_type = Option<String>)]
    event: Option<EventId>,
    /// Only deliveries of events of this type; `lead.*` matches all types that start with `lead.`.
    #[param(value_type = Option<String>)]
    event_type: Option<Pattern>,
    /// Only deliveries of events accepted at or after this time.
    #[serde(default, deserialize_with = "extract::time")]
    since: Option<Timestamp>,
    /// Only deliveries of events accepted before this time.
    #[serde(default, deserialize_with = "extract::time")]
    until: Option<Timestamp>,
    /// Only deliveries whose last attempt got a response with this HTTP status (`503`), or one of this class (`5xx`).
    #[param(value_type = Option<String>, pattern = "^[1-9]([0-9]{2}|xx)$", example = "5xx")]
    status: Option<StatusFilter>,
    /// Only deliveries whose last attempt failed with this fault: of the plugin, or of sending.
    #[param(value_type = Option<FaultCodeName>)]
    fault: Option<FaultCode>,
    /// Only deliveries whose `reason` contains this text, in upper or lower case: 1 to 200 characters.
    #[param(min_length = 1, max_length = 200)]
    reason: Option<String>,
    /// Path of an event's data that the space indexes, one of its `indexed_paths`; with `value`.
    #[param(value_type = Option<String>, example = "deal.id")]
    path: Option<FieldPath>,
    /// Only deliveries of events with this value at `path`: the text, or the number or boolean as posted; at most 256 bytes.
    #[param(max_length = 256, example = "4711")]
    value: Option<String>,
    /// Maximum number of entries in the page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// State of a delivery.
#[derive(ToSchema)]
#[schema(as = DeliveryState, rename_all = "snake_case")]
#[expect(dead_code, reason = "used in the API description alone, in place of the model's state")]
pub(super) enum DeliveryStateName {
    /// Waiting for its due time, or being sent.
    Pending,
    /// On hold while its subscription is paused; resumes when the subscription is activated.
    Held,
    /// Accepted by the receiver.
    Delivered,
    /// Failed: no attempts are left, or an attempt failed in a way that is not retried.
    Failed,
    /// Skipped: the plugin decided to send nothing.
    Skipped,
    /// Canceled by a caller, or because its subscription was deleted.
    Cancelled,
}

/// A delivery, without its attempts.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
struct DeliverySummary {
    /// Id of the delivery, which the receiver sees as `webhook-id`.
    #[schema(value_type = String)]
    id: DeliveryId,
    /// Id of the subscription.
    #[schema(value_type = String)]
    subscription_id: SubscriptionId,
    /// Id of the event.
    #[schema(value_type = String)]
    event_id: EventId,
    /// Type of the event.
    #[schema(value_type = String)]
    event_type: EventType,
    /// Number of events in the delivery. A batch has several, and `event_id` is the first of them.
    event_count: u32,
    /// True for a test event that was requested through the API.
    test: bool,
    /// State of the delivery.
    #[schema(value_type = DeliveryStateName)]
    state: DeliveryState,
    /// The CRM's name for the state. Absent if the subscription's profile defines none, or if the subscription was
    /// deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "In Queue")]
    profile_status: Option<&'static str>,
    /// Number of attempts so far.
    attempt_count: u32,
    /// Due time of the next attempt; of the last one, once the state is final.
    due_at: Timestamp,
    /// Time at which the event was accepted.
    accepted_at: Timestamp,
    /// Time at which the state became final; null until then.
    #[schema(required)]
    completed_at: Option<Timestamp>,
    /// Reason for the final state or for the failure of the last attempt; null if there is none.
    #[schema(required)]
    reason: Option<String>,
}

impl DeliverySummary {
    fn new(api: &Api, delivery: &Delivery) -> Self {
        let head = DeliveryHead {
            id: delivery.id,
            subscription_id: delivery.subscription_id,
            event_id: delivery.event.id.clone(),
            event_type: delivery.event.kind.clone(),
            accepted_at: delivery.event.accepted_at,
            batched: delivery.batched,
            test: delivery.test,
            state: delivery.state,
            attempts: delivery.attempts,
            due_at: delivery.due_at,
            completed_at: delivery.completed_at,
            reason: delivery.reason.clone(),
        };
        Self::of(api, head)
    }

    fn of(api: &Api, delivery: DeliveryHead) -> Self {
        let compiled = api.host.registry.get(delivery.subscription_id);
        let profile = compiled.and_then(|compiled| profile::find(&compiled.subscription.profile));
        let DeliveryHead {
            id,
            subscription_id,
            event_id,
            event_type,
            accepted_at,
            batched,
            test,
            state,
            attempts,
            due_at,
            completed_at,
            reason,
        } = delivery;
        Self {
            id,
            subscription_id,
            event_id,
            event_type,
            event_count: 1 + batched,
            test,
            state,
            profile_status: profile.and_then(|profile| profile.delivery_status(state)),
            attempt_count: attempts,
            due_at,
            accepted_at,
            completed_at,
            reason,
        }
    }
}

/// A delivery with its attempts.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryDetails)]
struct DeliveryView {
    #[serde(flatten)]
    delivery: DeliverySummary,
    /// Ids of all its events, in the order in which they were accepted.
    #[schema(value_type = Vec<String>)]
    event_ids: Vec<EventId>,
    /// Attempts, oldest first.
    attempts: Vec<AttemptView>,
}

/// Lists deliveries, newest first.
///
/// Attempts are not included. Filters combine: a delivery has to match all of them. The most selective one determines
/// which deliveries are looked at. If few of those match the others, pages are shorter, or empty, although more follow: a
/// page ends after a number of deliveries that it looks at.
#[utoipa::path(get, path = "/v1/spaces/{space}/deliveries", tag = "deliveries", params(DeliveriesQuery),
    responses((status = 200, body = DeliveryPage)))]
async fn list_deliveries(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Response, Problem> {
    let DeliveriesQuery {
        state,
        subscription,
        event,
        event_type,
        since,
        until,
        status,
        fault,
        reason,
        path,
        value,
        limit,
        cursor,
    } = query;
    if status.is_some() && fault.is_some() {
        let expected = "expected without `status`: an attempt that got a response has no fault";
        return Err(Error::parameter("fault", expected).into());
    }
    if reason.as_ref().is_some_and(|text| !(1..=REASON_CHARS_MAX).contains(&text.chars().count())) {
        let expected = format!("expected 1 to {REASON_CHARS_MAX} characters");
        return Err(Error::parameter("reason", expected).into());
    }
    let value = indexed::value(&api, &space, path, value)?;
    let before = page::after(cursor.as_deref())?;
    let filter =
        DeliveryFilter { state, subscription, event, event_type, since, until, status, fault, reason, value, before };
    let memory = api.memory.take(&space, PAGE_BYTES).await;
    let found = api.host.store.deliveries(&space, filter, limit.get()).await?;
    Ok(memory.json(&DeliveryPage::part(found, |delivery| DeliverySummary::of(&api, delivery)))?)
}

/// Returns a delivery with its attempts.
///
/// Each attempt includes the request as sent, the receiver's response, the timings, and the plugin's resource usage and
/// logs.
#[utoipa::path(get, path = "/v1/spaces/{space}/deliveries/{delivery}", tag = "deliveries",
    responses((status = 200, body = DeliveryView)))]
async fn get_delivery(Reads(space): Reads, State(api): State<Api>, params: PathParams) -> Result<Response, Problem> {
    let id: DeliveryId = params.get("delivery")?;
    let memory = memory(&api, &space, id).await?;
    let found = api.host.store.delivery(&space, id).await?;
    let (delivery, attempts) = found.ok_or_else(|| Error::not_found("delivery", id))?;
    let attempts = attempts.into_iter().map(AttemptView::from).collect();
    let event_ids = delivery.events().map(|event| event.id.clone()).collect();
    Ok(memory.json(&DeliveryView { delivery: DeliverySummary::new(&api, &delivery), event_ids, attempts })?)
}

/// Takes the memory for a delivery with its attempts: its rows, their views, and the response.
pub(super) async fn memory(api: &Api, space: &SpaceId, id: DeliveryId) -> Result<ResponseBytes, Error> {
    let stored = api.host.store.delivery_bytes(space, id).await?;
    let bytes = usize::try_from(stored).unwrap_or(usize::MAX).saturating_mul(3);
    Ok(api.memory.take(space, LARGE_BYTES.saturating_add(bytes)).await)
}

/// Cancels a delivery.
///
/// The delivery must be pending or held. Nothing more is sent.
#[utoipa::path(post, path = "/v1/spaces/{space}/deliveries/{delivery}/cancel", tag = "deliveries", responses(
    (status = 200, body = DeliverySummary),
    (status = 409, body = Problem, content_type = "application/problem+json",
        description = "delivery_state or delivery_in_flight")))]
async fn cancel_delivery(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<DeliverySummary>, Problem> {
    let id = params.get("delivery")?;
    Ok(Json(command(&api, &space, id, Command::Cancel).await?))
}

/// Options of a resend.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResendInput {
    /// `fresh`, the default, transforms the events again with the subscription as it is now. `verbatim` sends the last
    /// request byte for byte, with a new signature.
    #[serde(default)]
    mode: ResendMode,
}

/// Mode of a resend.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ResendMode {
    /// Transform the events again.
    #[default]
    Fresh,
    /// Send the last request again.
    Verbatim,
}

/// Resends a delivery now.
///
/// Possible in any state except `held`, and not while the delivery is being sent. A delivery that waits for its next
/// attempt is sent at once. The id stays the same, so a receiver can recognize a repeated delivery.
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
) -> Result<(StatusCode, Json<DeliverySummary>), Problem> {
    let verbatim = matches!(input.mode, ResendMode::Verbatim);
    let id = params.get("delivery")?;
    let found = api.host.store.delivery_head(&space, id).await?;
    let delivery = found.ok_or_else(|| Error::not_found("delivery", id))?;
    let Some(compiled) = api.host.registry.get(delivery.subscription_id) else {
        let detail = format!("subscription {} was deleted", delivery.subscription_id);
        return Err(Error::new(Code::SubscriptionState, detail).into());
    };
    if verbatim {
        let _memory = memory(&api, &space, id).await?;
        let attempts = api.host.store.delivery(&space, id).await?.map(|(_, attempts)| attempts).unwrap_or_default();
        let last = attempts.iter().rev().find_map(|attempt| attempt.request.as_ref());
        if last.is_some_and(|sent| !deliver::may_repeat(sent, &compiled.subscription)) {
            return Err(Error::new(Code::DeliveryState, deliver::MOVED).into());
        }
    }
    let delivery = command(&api, &space, id, Command::Resend { verbatim }).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery)))
}

async fn read(api: &Api, space: &SpaceId, id: DeliveryId) -> Result<DeliverySummary, Error> {
    let found = api.host.store.delivery_head(space, id).await?;
    found.map(|delivery| DeliverySummary::of(api, delivery)).ok_or_else(|| Error::not_found("delivery", id))
}

/// Executes a command and returns the delivery as it is afterwards.
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
            Err(Error::new(Code::DeliveryInFlight, "the delivery is being sent: try again later"))
        }
        (Commanded::NothingSent, _) => {
            let detail = "the delivery has no request that can be sent again verbatim: use the mode `fresh`";
            Err(Error::new(Code::DeliveryState, detail))
        }
        (Commanded::NotIn(state), Command::Cancel) => {
            let detail = format!("the delivery is {}: only a pending or held delivery can be canceled", state.as_str());
            Err(Error::new(Code::DeliveryState, detail))
        }
        (Commanded::NotIn(state), Command::Resend { .. }) => {
            let detail = format!("the delivery is {}: activate its subscription to resume it", state.as_str());
            Err(Error::new(Code::DeliveryState, detail))
        }
    }
}
