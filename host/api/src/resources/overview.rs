//! The overview of a space: its queue, and how it has been doing lately.

use axum::Json;
use axum::extract::State;
use hookmill_model::SubscriptionId;
use hookmill_store::SpaceQueue;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::Reads;
use crate::http::problem::Problem;
use hookmill_server::recent::{Percentiles, SubscriptionFigures};

/// Subscriptions in each of the two lists.
const SHOWN_MAX: usize = 5;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(get_overview))
}

/// Overview of a space.
#[derive(Serialize, ToSchema)]
#[schema(as = Overview)]
struct OverviewView {
    /// Current time of the host.
    now: Timestamp,
    /// Number of pending deliveries that were never attempted and are not being sent.
    waiting: u64,
    /// Number of pending deliveries that were attempted before and are not being sent.
    retrying: u64,
    /// Number of deliveries on hold while their subscription is paused.
    held: u64,
    /// Number of deliveries that are being sent.
    in_flight: u64,
    /// Time at which the first pending delivery is due, or was; null if none is pending. If more than 10,000 subscriptions
    /// have pending deliveries, that of 10,000 of them.
    #[schema(required)]
    oldest_due_at: Option<Timestamp>,
    /// Time from sending a request to the end of its response, in the last 15 minutes; null if nothing was sent.
    #[schema(required)]
    sending_ms: Option<PercentilesView>,
    /// Time of plugins, in the last 15 minutes; null if none ran.
    #[schema(required)]
    transform_ms: Option<PercentilesView>,
    /// Subscriptions whose receivers were the slowest in the last hour, slowest first: at most 5.
    slowest: Vec<SlowView>,
    /// Subscriptions with the most failed attempts in the last hour: at most 5.
    failing: Vec<FailingView>,
}

/// Percentiles of durations.
#[derive(Serialize, ToSchema)]
#[schema(as = Percentiles)]
struct PercentilesView {
    /// Milliseconds that half of the durations do not exceed.
    p50: f64,
    /// Milliseconds that 95 % of the durations do not exceed.
    p95: f64,
}

/// Returns milliseconds with two decimals: a transform takes less than one.
pub(super) fn millis(micros: u64) -> f64 {
    (micros as f64 / 10.0).round() / 100.0
}

impl From<Percentiles> for PercentilesView {
    fn from(Percentiles { p50_us, p95_us }: Percentiles) -> Self {
        Self { p50: millis(p50_us), p95: millis(p95_us) }
    }
}

/// Subscription whose receiver is slow.
#[derive(Serialize, ToSchema)]
#[schema(as = SlowSubscription)]
struct SlowView {
    /// Id of the subscription.
    #[schema(value_type = String)]
    subscription_id: SubscriptionId,
    /// Name of the subscription.
    name: String,
    /// Number of attempts in the last hour.
    attempts: u64,
    /// Milliseconds that 95 % of its requests did not exceed, until the end of their responses.
    p95_ms: f64,
}

/// Subscription whose deliveries fail.
#[derive(Serialize, ToSchema)]
#[schema(as = FailingSubscription)]
struct FailingView {
    /// Id of the subscription.
    #[schema(value_type = String)]
    subscription_id: SubscriptionId,
    /// Name of the subscription.
    name: String,
    /// Number of deliveries that were delivered in the last hour.
    delivered: u64,
    /// Number of deliveries that failed in the last hour: no attempts are left, or an attempt failed in a way that is not
    /// retried.
    failed: u64,
    /// Number of attempts in the last hour that failed and are followed by another.
    retried: u64,
}

/// Returns the overview of a space.
///
/// Durations and the two lists are kept in memory since the host started; each duration is within 6 % of what it was. Of a
/// space with more than 2,000 active subscriptions, those that failed are preferred. Counts per minute and hour are in
/// `counts`.
#[utoipa::path(get, path = "/v1/spaces/{space}/overview", tag = "deliveries",
    responses((status = 200, body = OverviewView)))]
async fn get_overview(Reads(space): Reads, State(api): State<Api>) -> Result<Json<OverviewView>, Problem> {
    let host = &api.host;
    let now = host.clock.now();
    let SpaceQueue { waiting, retrying, held, oldest_due_at } = host.store.space_queue(&space).await?;
    let recent = host.recent.figures(&space, now);
    let name = |id| host.registry.get(id).map(|compiled| compiled.subscription.name.clone());
    let slow = |SubscriptionFigures { id, attempts, p95_us, .. }: SubscriptionFigures| {
        Some(SlowView { subscription_id: id, name: name(id)?, attempts, p95_ms: millis(p95_us?) })
    };
    let failing = |SubscriptionFigures { id, delivered, failed, retried, .. }: SubscriptionFigures| {
        Some(FailingView { subscription_id: id, name: name(id)?, delivered, failed, retried })
    };
    Ok(Json(OverviewView {
        now,
        waiting: waiting.saturating_sub(recent.in_flight_first),
        retrying: retrying.saturating_sub(recent.in_flight_again),
        held,
        in_flight: recent.in_flight_first + recent.in_flight_again,
        oldest_due_at,
        sending_ms: recent.sending.map(Into::into),
        transform_ms: recent.transforming.map(Into::into),
        slowest: recent.slowest.into_iter().filter_map(slow).take(SHOWN_MAX).collect(),
        failing: recent.failing.into_iter().filter_map(failing).take(SHOWN_MAX).collect(),
    }))
}
