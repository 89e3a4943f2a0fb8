//! What another version or configuration would have made of past events.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::differences::DifferenceView;
use super::other;
use crate::api::Api;
use crate::api::http::access::Manages;
use crate::api::http::extract::{JsonBody, PathParams};
use crate::api::http::number::Whole;
use crate::dry_run::compare::{Comparison, compare};
use crate::error::{Code, Error};
use crate::registry::CompiledSubscription;
use crate::subscriptions::saving::find;
use hookmill_model::{Subscription, WantedVersion};

/// How long a comparison may take: as long as most programs wait for an answer.
const TIME_MAX: Duration = Duration::from_secs(60);

/// How many events, if nothing is said.
const LAST_DEFAULT: u32 = 100;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(compare_subscription))
}

/// What to compare with: another version, another configuration, or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CompareInput {
    /// Another version of the subscription's plugin: a version, or a range whose newest release is taken.
    #[schema(value_type = Option<String>)]
    version: Option<WantedVersion>,
    /// Another configuration of it.
    config: Option<Value>,
    /// How many events that the subscription wants, the last of them; 100 by default.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000)]
    last: Option<Whole<1, 1_000>>,
}

/// What was found. *Before* is the subscription's plugin as it is, *after* the other one.
#[derive(Serialize, ToSchema)]
#[schema(as = Comparison)]
struct ComparisonView {
    /// Stored events that were looked at, newest first: at most 10,000.
    looked_at: u64,
    /// Those that the subscription wants, on which both were run.
    events: u64,
    /// Events of which both make the same request, byte for byte but for the signature, or both send nothing.
    same: u64,
    /// The others.
    different: u64,
    /// Events that the one fails on.
    failed_before: u64,
    /// Events that the other one fails on.
    failed_after: u64,
    /// Events of which the one sends nothing.
    skipped_before: u64,
    /// Events of which the other one sends nothing.
    skipped_after: u64,
    /// The fuel that the one used.
    fuel_used_before: u64,
    /// The fuel that the other one used.
    fuel_used_after: u64,
    /// Microseconds that the one's transforms took.
    transform_us_before: u64,
    /// Microseconds that the other one's took.
    transform_us_after: u64,
    /// The first 50 differences, newest event first.
    differences: Vec<DifferenceView>,
    /// Whether the time, a minute, was over before the events were.
    timed_out: bool,
}

impl From<Comparison> for ComparisonView {
    fn from(comparison: Comparison) -> Self {
        let Comparison { looked_at, events, same, different, before, after, differences, timed_out } = comparison;
        Self {
            looked_at,
            events,
            same,
            different,
            failed_before: before.failed,
            failed_after: after.failed,
            skipped_before: before.skipped,
            skipped_after: after.skipped,
            fuel_used_before: before.fuel_used,
            fuel_used_after: after.fuel_used,
            transform_us_before: before.transform_us,
            transform_us_after: after.transform_us,
            differences: differences.into_iter().map(DifferenceView::from).collect(),
            timed_out,
        }
    }
}

/// Compares the requests of another plugin version or configuration over past events.
///
/// It runs over the last stored events that the subscription wants, and reports which requests would differ, and how.
/// Nothing is sent and nothing is stored. Each event stands alone, even if the subscription batches events, and is
/// transformed as for a first attempt. One comparison runs at a time in a space, for at most a minute; after that it
/// answers with what it has.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/compare", tag = "subscriptions",
    request_body = CompareInput, responses((status = 200, body = ComparisonView)))]
async fn compare_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    JsonBody(input): JsonBody<CompareInput>,
) -> Result<Json<ComparisonView>, Error> {
    let CompareInput { version, config, last } = input;
    let (subscription, _) = find(&api.host, &space, params.get("subscription")?).await?;
    let plugin = other::must(&api, &subscription, version, config).await?;
    let Some(_begun) = api.host.comparisons.begin(&space) else {
        let detail = "something is being compared in this space: try again when that has ended";
        return Err(Error::new(Code::Unavailable, detail));
    };
    let after = CompiledSubscription::new(Subscription { plugin: Some(plugin), ..subscription.clone() });
    let last = last.map_or(LAST_DEFAULT, |last| last.0);
    let compared = compare(&api.host, &CompiledSubscription::new(subscription), &after, last.into(), TIME_MAX).await;
    let compared = compared.map_err(|err| Error::internal(&*err.into_boxed_dyn_error()))?;
    Ok(Json(compared.into()))
}
