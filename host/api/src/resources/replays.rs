//! Replays: starting, reading and canceling them. What they do is in [`hookmill_server::replay`].

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hookmill_model::{Pattern, Replay, ReplayId, ReplayState, ReplayWhat, SubscriptionId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::names::{ReplayStateName, ReplayWhatName};
use crate::Api;
use crate::http::access::{Manages, Reads};
use crate::http::extract::{self, JsonBody, PathParams, Query};
use crate::http::memory::LARGE_BYTES;
use crate::http::page::{self, Page, PageQuery};
use crate::http::problem::Problem;
use hookmill_server::error::{Code, Error};
use hookmill_server::number::Whole;
use hookmill_server::replay::{self, DELIVERIES_PER_S_MAX, ReplayRequest};

/// A page of replays.
type ReplayPage = Page<ReplayView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(create_replay, list_replays))
        .routes(routes!(get_replay))
        .routes(routes!(cancel_replay))
}

/// Replay to start.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayInput {
    /// `events`, the default, sends events of the space as new deliveries; `failed` sends the subscription's failed deliveries
    /// again.
    #[schema(value_type = Option<ReplayWhatName>)]
    what: Option<ReplayWhat>,
    /// Only events accepted at or after this time.
    #[serde(default, deserialize_with = "extract::time")]
    #[schema(required, nullable = false, example = "2026-04-29T11:00:00Z")]
    since: Option<Timestamp>,
    /// Only events accepted before this time; the current time by default. It must not be in the future.
    #[serde(default, deserialize_with = "extract::time")]
    until: Option<Timestamp>,
    /// Only events of these types. By default those of the subscription; for `failed`, all.
    #[schema(value_type = Option<Vec<String>>)]
    event_types: Option<Vec<Pattern>>,
    /// Only events for which this CEL expression is true; `true` selects all. By default the condition of the subscription;
    /// for `failed`, none.
    condition: Option<String>,
    /// Whether events are left out of which the subscription has a delivery, as long as that is kept. So a new subscription
    /// gets each event once, whether it came before or after it.
    #[serde(default)]
    only_missing: bool,
    /// Maximum number of deliveries that it makes in a second.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000, default = 100)]
    deliveries_per_s: Option<Whole<1, DELIVERIES_PER_S_MAX>>,
}

/// Replay and its progress.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay)]
struct ReplayView {
    /// Id of the replay.
    #[schema(value_type = String)]
    id: ReplayId,
    /// Id of the subscription that it sends to.
    #[schema(value_type = String)]
    subscription_id: SubscriptionId,
    /// What it sends.
    #[schema(value_type = ReplayWhatName)]
    what: ReplayWhat,
    /// State of the replay.
    #[schema(value_type = ReplayStateName)]
    state: ReplayState,
    /// Why it waits or failed; null if it does neither.
    #[schema(required)]
    reason: Option<String>,
    /// Only events accepted at or after this time.
    since: Timestamp,
    /// Only events accepted before this time.
    until: Timestamp,
    /// Only events of these types; null for all.
    #[schema(required, value_type = Option<Vec<String>>)]
    event_types: Option<Vec<Pattern>>,
    /// Only events for which this CEL expression is true; null for all.
    #[schema(required)]
    condition: Option<String>,
    /// Whether events are left out of which the subscription has a delivery.
    only_missing: bool,
    /// Maximum number of deliveries that it makes in a second.
    deliveries_per_s: u32,
    /// Number of events, or of failed deliveries, that it has examined.
    examined: u64,
    /// Number of deliveries that it has made, or sent again.
    deliveries: u64,
    /// Time at which the last event that it examined was accepted; null before the first.
    #[schema(required)]
    reached_at: Option<Timestamp>,
    /// Part of its work that is done, about, from 0 to 1.
    progress: f64,
    /// Estimated seconds until it is done; null if it does not run, or nothing can be said yet.
    #[schema(required)]
    remaining_s: Option<u64>,
    /// Time at which it was requested.
    created_at: Timestamp,
    /// Time at which it last changed.
    updated_at: Timestamp,
}

impl From<Replay> for ReplayView {
    fn from(replay: Replay) -> Self {
        let progress = (replay.progress() * 1e3).round() / 1e3;
        let elapsed_s = replay.updated_at.duration_since(replay.created_at).as_secs_f64();
        let known = replay.state == ReplayState::Running && progress > 0.0;
        Self {
            id: replay.id,
            subscription_id: replay.subscription_id,
            what: replay.what,
            state: replay.state,
            reason: replay.reason,
            since: replay.since,
            until: replay.until,
            event_types: replay.event_types,
            condition: replay.condition,
            only_missing: replay.only_missing,
            deliveries_per_s: replay.deliveries_per_s,
            examined: replay.examined,
            deliveries: replay.deliveries,
            reached_at: replay.reached_at,
            progress,
            remaining_s: known.then(|| (elapsed_s * (1.0 - progress) / progress).ceil() as u64),
            created_at: replay.created_at,
            updated_at: replay.updated_at,
        }
    }
}

/// Replays events to a subscription, or sends its failed deliveries again.
///
/// The deliveries are made in the order in which their events were accepted, a few in a second, and are then like any other.
/// Events get new deliveries, also those that the subscription has received before, unless `only_missing` is true:
/// `hookmill-event-id` stays the same.
/// Neither the subscription's delay nor its batches apply; its trigger does, for `events`. Test events are left out, and so are
/// events and deliveries that are no longer kept. Failed deliveries keep their ids, and are transformed again.
///
/// A replay waits while the subscription is not active, while many of its deliveries are due, and while the deliveries of
/// the space have used up half of a quota. It fails if the subscription is deleted. At most four of a space run at once.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/replays", tag = "replays",
    request_body = ReplayInput,
    responses(
        (status = 201, body = ReplayView),
        (status = 422, body = Problem, content_type = "application/problem+json",
            description = "field_invalid, field_missing, field_unknown, or quota_reached: too many are running")))]
async fn create_replay(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    JsonBody(input): JsonBody<ReplayInput>,
) -> Result<(StatusCode, Json<ReplayView>), Problem> {
    let ReplayInput { what, since, until, event_types, condition, only_missing, deliveries_per_s } = input;
    let since = since.ok_or_else(|| {
        Error::at(Code::FieldMissing, "/since", "missing: the time from which on events were accepted")
    })?;
    let deliveries_per_s = deliveries_per_s.map(|rate| rate.0);
    let what = what.unwrap_or_default();
    let request = ReplayRequest { what, since, until, event_types, condition, only_missing, deliveries_per_s };
    let created = replay::create(&api.host, &space, params.get("subscription")?, request).await?;
    Ok((StatusCode::CREATED, Json(created.into())))
}

/// Lists the replays of a subscription, newest first.
///
/// Of those that have ended, the last 100 are kept.
#[utoipa::path(get, path = "/v1/spaces/{space}/subscriptions/{subscription}/replays", tag = "replays", params(PageQuery),
    responses((status = 200, body = ReplayPage)))]
async fn list_replays(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let before = page::after(query.cursor.as_deref())?;
    let memory = api.memory.take(&space, LARGE_BYTES).await;
    let found = replay::list(&api.host, &space, params.get("subscription")?, before, query.limit.get()).await?;
    Ok(memory.json(&ReplayPage::part(found, ReplayView::from))?)
}

/// Returns a replay and its progress.
///
/// One that waits says why in `reason`.
#[utoipa::path(get, path = "/v1/spaces/{space}/subscriptions/{subscription}/replays/{replay}", tag = "replays",
    responses((status = 200, body = ReplayView)))]
async fn get_replay(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<ReplayView>, Problem> {
    let found = replay::find(&api.host, &space, params.get("subscription")?, params.get("replay")?).await?;
    Ok(Json(found.into()))
}

/// Cancels a replay.
///
/// It makes no further deliveries; those of the last second that it made are sent. A replay that has ended stays as it is.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/replays/{replay}/cancel", tag = "replays",
    responses((status = 200, body = ReplayView)))]
async fn cancel_replay(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<ReplayView>, Problem> {
    let ended = replay::cancel(&api.host, &space, params.get("subscription")?, params.get("replay")?).await?;
    Ok(Json(ended.into()))
}
