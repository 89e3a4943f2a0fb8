//! Finding out why a subscription's webhooks do not arrive.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::names::CheckName;
use crate::Api;
use crate::http::access::Manages;
use crate::http::extract::PathParams;
use crate::http::problem::Problem;
use hookmill_server::dry_run::diagnose::{self, Finding, Grade};
use hookmill_server::error::Error;
use hookmill_server::subscriptions::{example, find};

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(diagnose_subscription))
}

/// Result of a diagnosis.
#[derive(Serialize, ToSchema)]
#[schema(as = Diagnosis)]
struct DiagnosisView {
    /// Whether there is no problem; there may be warnings.
    ok: bool,
    /// Findings in the order of the checks; a check may have several.
    findings: Vec<FindingView>,
}

/// Finding of a check.
#[derive(Serialize, ToSchema)]
#[schema(as = Finding)]
struct FindingView {
    /// The check.
    #[schema(value_type = CheckName)]
    check: &'static str,
    /// Result of the check.
    #[schema(value_type = GradeName)]
    result: &'static str,
    /// Finding, for people.
    finding: String,
    /// What to do about it; null if nothing needs to be done.
    #[schema(required)]
    what_to_do: Option<String>,
}

/// Result of a check.
#[derive(ToSchema)]
#[schema(as = FindingResult, rename_all = "snake_case")]
#[expect(dead_code, reason = "used in the API description alone")]
enum GradeName {
    /// No problem.
    Ok,
    /// May be intended, and may be the cause.
    Warning,
    /// Does not work.
    Problem,
    /// Not applicable.
    Skipped,
}

impl From<Finding> for FindingView {
    fn from(Finding { check, grade, finding, what_to_do }: Finding) -> Self {
        Self { check: check.as_str(), result: grade.as_str(), finding, what_to_do }
    }
}

/// Finds out why a subscription's webhooks do not arrive.
///
/// Checks its state, URL, endpoint, events, plugin and deliveries. The endpoint gets one request: the one of an
/// activation, or a HEAD. No event and no delivery is created, and nothing is written.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/diagnose", tag = "subscriptions",
    responses((status = 200, body = DiagnosisView)))]
async fn diagnose_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<DiagnosisView>, Problem> {
    let (subscription, activity) = find(&api.host, &space, params.get("subscription")?).await?;
    let test_event = example::test_event(&api.host, &subscription).await?;
    let found = diagnose::diagnose(&api.host, &subscription, activity, test_event).await;
    let found = found.map_err(|err| Error::internal(&*err.into_boxed_dyn_error()))?;
    let ok = found.iter().all(|finding| finding.grade != Grade::Problem);
    Ok(Json(DiagnosisView { ok, findings: found.into_iter().map(FindingView::from).collect() }))
}
