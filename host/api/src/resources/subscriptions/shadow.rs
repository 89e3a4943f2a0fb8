//! The shadow of a subscription and its counts.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hookmill_model::{PluginFaultCode, PluginRef, Shadow, Subscription, Tally, WantedVersion};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::names::PluginFaultCodeName;
use super::differences::DifferenceView;
use super::plugin::PluginRefView;
use super::view::{SubscriptionView, shown};
use crate::Api;
use crate::http::access::{Manages, Reads};
use crate::http::extract::{JsonBody, PathParams};
use crate::http::problem::Problem;
use hookmill_server::error::Error;
use hookmill_server::subscriptions::{find, shadow};

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(put_shadow, get_shadow, delete_shadow)).routes(routes!(promote_shadow))
}

/// Shadow to run: another version, another configuration, or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ShadowInput {
    /// Another version of the subscription's plugin: a version, or a range whose newest release is used.
    #[schema(value_type = Option<String>)]
    version: Option<WantedVersion>,
    /// Another configuration of the plugin.
    config: Option<Value>,
}

/// Shadow of a subscription and its counts, which are written once a second.
#[derive(Serialize, ToSchema)]
#[schema(as = Shadow)]
struct ShadowView {
    /// Plugin that runs.
    plugin: PluginRefView,
    /// When it was set.
    started_at: Timestamp,
    /// Deliveries that it ran on, each after its first attempt.
    runs: u64,
    /// Deliveries for which it made the same request, byte for byte except the signature, or none where none was sent.
    same: u64,
    /// Deliveries for which it made a different one.
    different: u64,
    /// Failures by kind of fault.
    #[schema(value_type = BTreeMap<PluginFaultCodeName, u64>)]
    failed: BTreeMap<PluginFaultCode, u64>,
    /// Deliveries that it would have skipped.
    skipped: u64,
    /// Deliveries that it did not run on because too many were waiting for it.
    left_out: u64,
    /// Fuel that it used.
    fuel_used: u64,
    /// Fuel that the active plugin used on the same deliveries.
    fuel_used_active: u64,
    /// The last 10 differences between what was sent (*before*) and what it would have sent (*after*), newest first.
    differences: Vec<DifferenceView>,
}

impl ShadowView {
    fn of(plugin: PluginRef, shadow: Shadow) -> Self {
        let Shadow { started_at, tally } = shadow;
        let Tally { runs, same, different, failed, skipped, left_out, fuel_used, fuel_used_active, differences } =
            tally;
        Self {
            plugin: plugin.into(),
            started_at,
            runs,
            same,
            different,
            failed,
            skipped,
            left_out,
            fuel_used,
            fuel_used_active,
            differences: differences.into_iter().rev().map(DifferenceView::from).collect(),
        }
    }
}

async fn view(api: &Api, subscription: Subscription) -> Result<ShadowView, Error> {
    let id = subscription.id;
    let counts = api.host.store.shadow(id).await?;
    let view = subscription.shadow.zip(counts).map(|(plugin, counts)| ShadowView::of(plugin, counts));
    view.ok_or_else(|| shadow::none(id))
}

/// Runs another version or configuration next to a subscription's plugin.
///
/// From now on, once the first attempt at a delivery is recorded, the shadow runs on the same delivery, and its request
/// is compared with the one that was sent. It sends nothing and delays no delivery. Another shadow replaces the present
/// one; the same one continues.
#[utoipa::path(put, path = "/v1/spaces/{space}/subscriptions/{subscription}/shadow", tag = "subscriptions",
    request_body = ShadowInput,
    responses(
        (status = 200, body = ShadowView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "subscription_state: another request changed it in the meantime")))]
async fn put_shadow(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    JsonBody(input): JsonBody<ShadowInput>,
) -> Result<Json<ShadowView>, Problem> {
    let ShadowInput { version, config } = input;
    let subscription = shadow::set(&api.host, &space, params.get("subscription")?, version, config).await?;
    Ok(Json(view(&api, subscription).await?))
}

/// Returns the shadow of a subscription and its counts.
///
/// A shadow is another version or configuration of the plugin, which runs on live events without sending.
#[utoipa::path(get, path = "/v1/spaces/{space}/subscriptions/{subscription}/shadow", tag = "subscriptions",
    responses((status = 200, body = ShadowView)))]
async fn get_shadow(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<ShadowView>, Problem> {
    let (subscription, _) = find(&api.host, &space, params.get("subscription")?).await?;
    Ok(Json(view(&api, subscription).await?))
}

/// Ends the shadow of a subscription.
///
/// Its counts are deleted.
#[utoipa::path(delete, path = "/v1/spaces/{space}/subscriptions/{subscription}/shadow", tag = "subscriptions",
    responses((status = 204, description = "Deleted")))]
async fn delete_shadow(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<StatusCode, Problem> {
    shadow::end(&api.host, space, params.get("subscription")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the shadow of a subscription its plugin.
///
/// It keeps the range of versions that it was given. The handling of the plugin's failures stays as it is. `rollback`
/// returns to the previous plugin.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/shadow/promote", tag = "subscriptions",
    responses((status = 200, body = SubscriptionView)))]
async fn promote_shadow(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Problem> {
    let (subscription, activity) = shadow::promote(&api.host, space, params.get("subscription")?).await?;
    shown(&api, subscription, activity).await
}
