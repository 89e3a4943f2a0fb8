//! Shadows: another version or configuration, beside the active one, on live events and without sending.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::names::PluginFaultCodeName;
use super::differences::DifferenceView;
use super::plugin::PluginRefView;
use super::view::SubscriptionView;
use super::{activation, other};
use crate::api::Api;
use crate::api::http::access::{Manages, Reads};
use crate::api::http::extract::{JsonBody, PathParams};
use crate::api::http::problem::Problem;
use crate::error::Error;
use crate::plugins::{follow, versions};
use crate::subscriptions::saving::{change, find, save};
use crate::task::unbroken;
use hookmill_model::{PluginFaultCode, PluginRef, Shadow, Subscription, SubscriptionId, Tally, WantedVersion};

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(put_shadow, get_shadow, delete_shadow)).routes(routes!(promote_shadow))
}

/// What to run beside: another version, another configuration, or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ShadowInput {
    /// Another version of the subscription's plugin: a version, or a range whose newest release is taken.
    #[schema(value_type = Option<String>)]
    version: Option<WantedVersion>,
    /// Another configuration of it.
    config: Option<Value>,
}

/// What runs beside a subscription's plugin, and what it did. Counts are written once a second.
#[derive(Serialize, ToSchema)]
#[schema(as = Shadow)]
struct ShadowView {
    /// What runs.
    plugin: PluginRefView,
    /// Since when.
    started_at: Timestamp,
    /// Deliveries that it ran on, after their first attempt.
    runs: u64,
    /// Those of which it made the same request, byte for byte but for the signature, or nothing where nothing was sent.
    same: u64,
    /// The others.
    different: u64,
    /// How often it failed, by the kind of fault.
    #[schema(value_type = BTreeMap<PluginFaultCodeName, u64>)]
    failed: BTreeMap<PluginFaultCode, u64>,
    /// How often it would have sent nothing.
    skipped: u64,
    /// Deliveries that it was not run on because too many waited for it.
    left_out: u64,
    /// The fuel that it used.
    fuel_used: u64,
    /// The fuel that the active plugin used on the same deliveries.
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

fn none(id: SubscriptionId) -> Error {
    Error::not_found("shadow of", id)
}

async fn view(api: &Api, subscription: Subscription) -> Result<ShadowView, Error> {
    let id = subscription.id;
    let shadow = api.host.store.shadow(id).await?;
    subscription.shadow.zip(shadow).map(|(plugin, shadow)| ShadowView::of(plugin, shadow)).ok_or_else(|| none(id))
}

/// Runs another version or configuration next to a subscription's plugin.
///
/// From now on, once the first attempt at a delivery is recorded, the shadow runs on the same delivery, and its request
/// is compared with the one that was sent. It sends nothing, and nothing that is sent waits for it. Another shadow
/// replaces the present one; the same one continues.
#[utoipa::path(put, path = "/v1/spaces/{space}/subscriptions/{subscription}/shadow", tag = "subscriptions",
    request_body = ShadowInput,
    responses(
        (status = 200, body = ShadowView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "subscription_state: it was changed meanwhile")))]
async fn put_shadow(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    JsonBody(input): JsonBody<ShadowInput>,
) -> Result<Json<ShadowView>, Error> {
    let ShadowInput { version, config } = input;
    let (subscription, _) = find(&api.host, &space, params.get("subscription")?).await?;
    let plugin = other::must(&api, &subscription, version, config).await?;
    unbroken(async move {
        let changing = api.host.registry.changing().await;
        let mut subscription = activation::check_unchanged(&api.host, &subscription).await?;
        let beside = Subscription { plugin: Some(plugin.clone()), ..subscription.clone() };
        let there = versions::check_there(&api.host, &beside, Some(&subscription)).await;
        there.map_err(|err| err.at(""))?;
        subscription.shadow = Some(plugin);
        subscription.updated_at = api.host.clock.now();
        save(&api.host, &changing, &subscription).await?;
        view(&api, subscription).await.map(Json)
    })
    .await
}

/// Returns the shadow of a subscription and its counts.
///
/// A shadow is another version or configuration of the plugin that runs on live events without sending.
#[utoipa::path(get, path = "/v1/spaces/{space}/subscriptions/{subscription}/shadow", tag = "subscriptions",
    responses((status = 200, body = ShadowView)))]
async fn get_shadow(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<ShadowView>, Error> {
    let (subscription, _) = find(&api.host, &space, params.get("subscription")?).await?;
    view(&api, subscription).await.map(Json)
}

/// Ends the shadow of a subscription.
///
/// Its counts are deleted.
#[utoipa::path(delete, path = "/v1/spaces/{space}/subscriptions/{subscription}/shadow", tag = "subscriptions",
    responses((status = 204, description = "It is gone")))]
async fn delete_shadow(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<StatusCode, Error> {
    let id = params.get("subscription")?;
    change(&api.host, space, id, move |subscription| subscription.shadow.take().map(drop).ok_or_else(|| none(id)))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the shadow of a subscription its plugin.
///
/// With the range of versions that it was given. What happens to a delivery when the plugin fails stays as it is.
/// `rollback` goes back to the previous plugin.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/shadow/promote", tag = "subscriptions",
    responses((status = 200, body = SubscriptionView)))]
async fn promote_shadow(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Error> {
    let id = params.get("subscription")?;
    let promote = move |subscription: &mut Subscription| {
        let shadow = subscription.shadow.take().ok_or_else(|| none(id))?;
        let policy = subscription.plugin.as_ref().unwrap_or(&shadow);
        let (on_failure, pause_after) = (policy.on_failure, policy.pause_after);
        subscription.set_plugin(Some(PluginRef { on_failure, pause_after, ..shadow }));
        Ok(())
    };
    unbroken(async move {
        change(&api.host, space.clone(), id, promote).await?;
        // A version may have come since the shadow was set.
        follow::catch_up(&api.host, id).await?;
        let (subscription, activity) = find(&api.host, &space, id).await?;
        Ok(Json(SubscriptionView::of(subscription, activity)))
    })
    .await
}
