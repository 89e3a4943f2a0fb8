//! Rolling back to the plugin that a subscription used before.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::{SubscriptionView, shown};
use crate::Api;
use crate::http::access::Manages;
use crate::http::extract::PathParams;
use crate::http::problem::Problem;
use hookmill_server::subscriptions::plugin;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(rollback_subscription))
}

/// Rolls a subscription back to the plugin that it used before.
///
/// That is the plugin from before the last change of plugin, with its version and configuration; the subscription keeps
/// that version. A second rollback undoes the first. The handling of the plugin's failures stays as it is.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/rollback", tag = "subscriptions",
    responses(
        (status = 200, body = SubscriptionView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "no_earlier_plugin: it used no other plugin; or plugin_deleted: that version was deleted")))]
async fn rollback_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Problem> {
    let (subscription, activity) = plugin::roll_back(&api.host, space, params.get("subscription")?).await?;
    shown(&api, subscription, activity).await
}
