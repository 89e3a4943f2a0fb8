//! Comparing another version or configuration over past events.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use hookmill_model::{Subscription, WantedVersion};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::differences::DifferenceView;
use crate::Api;
use crate::http::access::Manages;
use crate::http::extract::{JsonBody, PathParams};
use crate::http::number::Whole;
use crate::http::problem::Problem;
use hookmill_server::dry_run::compare::{Comparison, compare};
use hookmill_server::error::{Code, Error};
use hookmill_server::registry::CompiledSubscription;
use hookmill_server::subscriptions::{find, plugin};

/// Maximum duration of a comparison: as long as most clients wait for a response.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Number of events by default.
const LAST_DEFAULT: u32 = 100;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(compare_subscription))
}

/// Variant to compare with: another version, another configuration, or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CompareInput {
    /// Another version of the subscription's plugin: a version, or a range whose newest release is used.
    #[schema(value_type = Option<String>)]
    version: Option<WantedVersion>,
    /// Another configuration of the plugin.
    config: Option<Value>,
    /// Number of events to compare, the last ones that match the subscription; 100 by default.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000)]
    last: Option<Whole<1, 1_000>>,
}

/// Result of a comparison. *Before* is the subscription's present plugin, *after* the variant.
#[derive(Serialize, ToSchema)]
#[schema(as = Comparison)]
struct ComparisonView {
    /// Stored events that were examined, newest first: at most 10,000.
    looked_at: u64,
    /// Events that match the subscription, on which both ran.
    events: u64,
    /// Events for which both make the same request, byte for byte except the signature, or both send nothing.
    same: u64,
    /// Events for which they differ.
    different: u64,
    /// Events on which the present plugin fails.
    failed_before: u64,
    /// Events on which the variant fails.
    failed_after: u64,
    /// Events that the present plugin skips.
    skipped_before: u64,
    /// Events that the variant skips.
    skipped_after: u64,
    /// Fuel that the present plugin used.
    fuel_used_before: u64,
    /// Fuel that the variant used.
    fuel_used_after: u64,
    /// Duration of the present plugin's transforms, in microseconds.
    transform_us_before: u64,
    /// Duration of the variant's transforms, in microseconds.
    transform_us_after: u64,
    /// First 50 differences, newest event first.
    differences: Vec<DifferenceView>,
    /// Whether the time limit of one minute ended the comparison.
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
/// It runs over the last stored events that match the subscription, and reports which requests would differ, and how.
/// Nothing is sent and nothing is stored. Each event stands alone, even if the subscription batches events, and is
/// transformed as for a first attempt. One comparison runs at a time in a space, for at most a minute; after that
/// the response has the results so far.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/compare", tag = "subscriptions",
    request_body = CompareInput, responses((status = 200, body = ComparisonView)))]
async fn compare_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    JsonBody(input): JsonBody<CompareInput>,
) -> Result<Json<ComparisonView>, Problem> {
    let CompareInput { version, config, last } = input;
    let (subscription, _) = find(&api.host, &space, params.get("subscription")?).await?;
    let plugin = plugin::required_variant(&api.host, &subscription, version, config).await?;
    let Some(_begun) = api.host.comparisons.begin(&space) else {
        let detail = "another comparison is running in this space: try again when it has ended";
        return Err(Error::new(Code::Unavailable, detail).into());
    };
    let after = CompiledSubscription::new(Subscription { plugin: Some(plugin), ..subscription.clone() });
    let last = last.map_or(LAST_DEFAULT, |last| last.0);
    let compared = compare(&api.host, &CompiledSubscription::new(subscription), &after, last.into(), TIME_MAX).await;
    let compared = compared.map_err(|err| Error::internal(&*err.into_boxed_dyn_error()))?;
    Ok(Json(compared.into()))
}
