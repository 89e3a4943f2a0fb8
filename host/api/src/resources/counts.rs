//! Counts: what happened to deliveries, per minute or hour, for an overview.

use axum::Json;
use axum::extract::State;
use hookmill_model::SubscriptionId;
use hookmill_store::{Counts, Step};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::Reads;
use crate::http::extract::{self, Query};
use crate::http::problem::Problem;
use hookmill_server::error::Error;

/// The most steps in a response: a day of minutes, or 60 days of hours.
const STEPS_MAX: i64 = 24 * 60;

/// The time before `until` at which a response begins unless the caller says otherwise.
const SINCE_DEFAULT: SignedDuration = SignedDuration::from_hours(24);

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(get_counts))
}

/// What to count.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CountsQuery {
    /// Only deliveries to this subscription; by default, all of the space.
    #[param(value_type = Option<String>)]
    subscription_id: Option<SubscriptionId>,
    /// From the step with this time on; by default, 24 hours before `until`.
    #[serde(default, deserialize_with = "extract::time")]
    since: Option<Timestamp>,
    /// Before this time; the step that it is in is counted as a whole. By default, the current time.
    #[serde(default, deserialize_with = "extract::time")]
    until: Option<Timestamp>,
    /// Length of a step; by default, an hour.
    #[serde(default)]
    #[param(inline)]
    step: StepName,
}

/// Length of a step.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[schema(as = Step)]
#[serde(rename_all = "snake_case")]
enum StepName {
    /// A minute.
    Minute,
    /// An hour, UTC.
    #[default]
    Hour,
}

/// What happened in one step.
#[derive(Serialize, ToSchema)]
#[schema(as = StepCounts)]
struct StepView {
    /// Time at which the step begins.
    at: Timestamp,
    /// Number of deliveries that were delivered.
    delivered: u64,
    /// Number of deliveries that failed: no attempts are left, or an attempt failed in a way that is not retried.
    failed: u64,
    /// Number of deliveries that the plugin skipped.
    skipped: u64,
    /// Number of deliveries that were canceled.
    cancelled: u64,
    /// Number of attempts that failed and are followed by another.
    retried: u64,
}

impl From<Counts> for StepView {
    fn from(Counts { at, delivered, failed, skipped, cancelled, retried }: Counts) -> Self {
        Self { at, delivered, failed, skipped, cancelled, retried }
    }
}

/// What happened in each step.
#[derive(Serialize, ToSchema)]
#[schema(as = Counts)]
struct CountsView {
    /// The steps, oldest first. A step in which nothing happened is left out.
    steps: Vec<StepView>,
}

/// Returns what happened to deliveries, per minute or hour.
///
/// Each delivery is counted when its state becomes final, and each retried attempt when it failed. What is resent counts
/// again when it ends again. At most 1,440 steps: a day of minutes, or 60 days of hours.
#[utoipa::path(get, path = "/v1/spaces/{space}/counts", tag = "deliveries", params(CountsQuery),
    responses((status = 200, body = CountsView)))]
async fn get_counts(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<CountsQuery>,
) -> Result<Json<CountsView>, Problem> {
    let until = query.until.unwrap_or_else(|| api.host.clock.now());
    let since = query.since.map_or_else(|| until.checked_sub(SINCE_DEFAULT).unwrap_or(Timestamp::MIN), |since| since);
    let (step, name) = match query.step {
        StepName::Minute => (Step::Minute, "minutes"),
        StepName::Hour => (Step::Hour, "hours"),
    };
    if since >= until {
        return Err(Error::parameter("since", format!("expected a time before `until`, {until}")).into());
    }
    let whole = SignedDuration::from_mins(step.minutes());
    if until.duration_since(since) > whole * i32::try_from(STEPS_MAX).unwrap_or(i32::MAX) {
        let expected = format!("expected at most {STEPS_MAX} {name} before `until`");
        return Err(Error::parameter("since", expected).into());
    }
    let counts = api.host.store.counts(&space, query.subscription_id, since, until, step).await?;
    Ok(Json(CountsView { steps: counts.into_iter().map(StepView::from).collect() }))
}
