//! Which subscriptions match an event, and which of the last events a new subscription would match.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use hookmill_model::{DeliveryId, EventId, EventType, Pattern, SubscriptionId, SubscriptionState, Trigger};
use hookmill_server::dry_run::matches::{self, EventMatch, MatchRule, SubscriptionMatch};
use hookmill_server::stages::matching::{SeenMember, Verdict};
use hookmill_server::subscriptions::described;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::subscriptions::SubscriptionStateName;
use crate::Api;
use crate::http::access::Reads;
use crate::http::extract::{JsonBody, PathParams, Query};
use crate::http::memory::LARGE_BYTES;
use crate::http::page::{self, Page, PageQuery};
use crate::http::problem::Problem;

/// A page of matches.
type MatchPage = Page<MatchView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list_matches)).routes(routes!(match_last_events))
}

/// Reason why an event matches a subscription or does not.
#[derive(Serialize, ToSchema)]
#[schema(as = MatchReason)]
#[serde(rename_all = "snake_case")]
enum ReasonName {
    /// It matches.
    Matches,
    /// The subscription selects other event types.
    EventType,
    /// The event reports no change that fires the trigger.
    Trigger,
    /// The condition is false.
    Condition,
    /// The condition cannot be evaluated.
    ConditionFailed,
    /// The event would match if the subscription were active.
    NotActive,
}

impl ReasonName {
    fn of(verdict: &Verdict, active: bool) -> Self {
        match verdict {
            Verdict::Wanted if active => Self::Matches,
            Verdict::Wanted => Self::NotActive,
            Verdict::OtherType => Self::EventType,
            Verdict::NotTriggered => Self::Trigger,
            Verdict::ConditionFalse => Self::Condition,
            Verdict::ConditionFailed(_) => Self::ConditionFailed,
        }
    }
}

/// A subscription, and whether an event matches it.
#[derive(Serialize, ToSchema)]
#[schema(as = Match)]
struct MatchView {
    /// Id of the subscription.
    #[schema(value_type = String)]
    subscription_id: SubscriptionId,
    /// Name of the subscription.
    name: String,
    /// State of the subscription.
    #[schema(value_type = SubscriptionStateName)]
    state: SubscriptionState,
    /// Id of the newest delivery of the event to the subscription; null if there is none.
    #[schema(value_type = Option<String>, required)]
    delivery_id: Option<DeliveryId>,
    /// Whether the event would match the subscription now.
    matched: bool,
    /// Reason why it would or would not.
    reason: ReasonName,
    /// Details for people why it would not; null if it would.
    #[schema(required)]
    detail: Option<String>,
    /// Members of the event that the condition names, at most 20; empty if the condition was not evaluated.
    saw: Vec<SeenView>,
}

impl From<SubscriptionMatch> for MatchView {
    fn from(found: SubscriptionMatch) -> Self {
        let subscription = &found.compiled.subscription;
        Self {
            subscription_id: subscription.id,
            name: subscription.name.clone(),
            state: subscription.state,
            delivery_id: found.delivery_id,
            matched: found.is_match(),
            reason: ReasonName::of(&found.verdict, found.is_active()),
            detail: found.detail,
            saw: found.seen.into_iter().map(SeenView::from).collect(),
        }
    }
}

/// A member of an event that a condition names.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenMember)]
struct SeenView {
    /// Path of the member, as in the condition.
    #[schema(example = "event.data.value")]
    path: String,
    /// Its value in the event; null if the event has no such member. If `cut`, the beginning of its text.
    #[schema(value_type = serde_json::Value)]
    value: Value,
    /// True if the event has no such member.
    missing: bool,
    /// True if the value is longer than 500 bytes and only its beginning is shown.
    cut: bool,
}

impl From<SeenMember> for SeenView {
    fn from(SeenMember { path, value, cut }: SeenMember) -> Self {
        Self { path, missing: value.is_none(), value: value.unwrap_or_default(), cut }
    }
}

/// Lists the subscriptions of the space, and whether an event matches each as it is now.
///
/// First those with a delivery of the event, newest first, then the others, oldest first. For each that does not match,
/// there is the reason; for a condition, the values that it reads in the event. A page is shorter than `limit` if
/// evaluating conditions takes long.
#[utoipa::path(get, path = "/v1/spaces/{space}/events/{event}/matches", tag = "events", params(PageQuery),
    responses((status = 200, body = MatchPage)))]
async fn list_matches(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let id: EventId = params.get("event")?;
    let cursor = page::after(query.cursor.as_deref())?;
    let memory = api.memory.take(&space, LARGE_BYTES).await;
    let found = matches::matches(&api.host, &space, &id, cursor, query.limit.get()).await?;
    Ok(memory.json(&MatchPage::part(found, MatchView::from))?)
}

/// What decides which events a subscription matches.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"event_types": ["deal.*"], "condition": "event.data.value > 1000"}))]
struct MatchInput {
    /// Event types, or patterns such as `lead.*`; `*` selects all but operational ones. At most 100; none select nothing.
    #[schema(value_type = Option<Vec<String>>)]
    event_types: Option<Vec<Pattern>>,
    /// Change that an event must report.
    #[schema(value_type = Option<described::Trigger>)]
    trigger: Option<Trigger>,
    /// CEL expression over `event` that must be true.
    condition: Option<String>,
}

/// The last events of a space.
#[derive(Serialize, ToSchema)]
#[schema(as = MatchedEvents)]
struct MatchedEventsView {
    /// Up to 20 events, newest first; fewer if they are large.
    events: Vec<MatchedEventView>,
}

/// An event, and whether it matches.
#[derive(Serialize, ToSchema)]
#[schema(as = MatchedEvent)]
struct MatchedEventView {
    /// Id of the event.
    #[schema(value_type = String)]
    id: EventId,
    /// Event type.
    #[schema(value_type = String)]
    r#type: EventType,
    /// Time at which the event was accepted.
    accepted_at: Timestamp,
    /// Whether the event matches.
    matches: bool,
    /// Reason why it does or does not.
    reason: ReasonName,
    /// Details for people why it does not; null if it does.
    #[schema(required)]
    detail: Option<String>,
}

impl From<EventMatch> for MatchedEventView {
    fn from(EventMatch { event, verdict, detail }: EventMatch) -> Self {
        let reason = ReasonName::of(&verdict, true);
        let matches = verdict == Verdict::Wanted;
        Self { id: event.id, r#type: event.kind, accepted_at: event.accepted_at, matches, reason, detail }
    }
}

/// Matches the last events of the space, for a subscription that is being written.
///
/// Nothing is stored. Members that are invalid are refused as in a subscription.
#[utoipa::path(post, path = "/v1/spaces/{space}/match", tag = "events", request_body = MatchInput,
    responses((status = 200, body = MatchedEventsView)))]
async fn match_last_events(
    Reads(space): Reads,
    State(api): State<Api>,
    JsonBody(MatchInput { event_types, trigger, condition }): JsonBody<MatchInput>,
) -> Result<Json<MatchedEventsView>, Problem> {
    let _memory = api.memory.take(&space, LARGE_BYTES).await;
    let found = matches::last_events(&api.host, &space, MatchRule { event_types, trigger, condition }).await?;
    Ok(Json(MatchedEventsView { events: found.into_iter().map(MatchedEventView::from).collect() }))
}
