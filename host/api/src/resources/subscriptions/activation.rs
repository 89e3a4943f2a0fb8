//! Activating and pausing a subscription.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::{SubscriptionView, shown};
use crate::Api;
use crate::http::access::Manages;
use crate::http::extract::PathParams;
use crate::http::problem::Problem;
use hookmill_server::subscriptions::activation;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(activate_subscription)).routes(routes!(pause_subscription))
}

/// Activates a subscription, after its handshake.
///
/// Events match it again, and held deliveries continue.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/activate", tag = "subscriptions",
    responses(
        (status = 200, body = SubscriptionView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "handshake_rejected: the endpoint did not pass; or subscription_state: it was changed during \
                the handshake, or has no event types yet")))]
async fn activate_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Problem> {
    let (subscription, activity) = activation::activate(&api.host, space, params.get("subscription")?).await?;
    shown(&api, subscription, activity).await
}

/// Pauses a subscription.
///
/// Events no longer match it, and its deliveries are held.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/pause", tag = "subscriptions",
    responses(
        (status = 200, body = SubscriptionView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "subscription_state: it is a draft")))]
async fn pause_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Problem> {
    let (subscription, activity) = activation::pause(&api.host, space, params.get("subscription")?).await?;
    shown(&api, subscription, activity).await
}
