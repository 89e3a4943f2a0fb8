//! Going back to the plugin that a subscription used before.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::SubscriptionView;
use crate::api::Api;
use crate::api::http::access::Manages;
use crate::api::http::extract::PathParams;
use crate::api::http::problem::Problem;
use crate::error::{Code, Error};
use crate::subscriptions::saving::{find, save};
use crate::task::unbroken;
use hookmill_model::{Activity, PluginRef, SpaceId, Subscription, SubscriptionId};

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(rollback_subscription))
}

/// Goes back to the plugin that the subscription used before.
///
/// That is the plugin, with its version and configuration, from before the last change of plugin; the subscription
/// stays with that version. A second rollback undoes the first. What happens to a delivery when the plugin fails stays
/// as it is.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/rollback", tag = "subscriptions",
    responses(
        (status = 200, body = SubscriptionView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "no_earlier_plugin: it had no other plugin; or plugin_deleted: that version was deleted")))]
async fn rollback_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Error> {
    let id: SubscriptionId = params.get("subscription")?;
    unbroken(async move {
        let (subscription, activity) = roll_back(&api, &space, id).await?;
        Ok(Json(SubscriptionView::of(subscription, activity)))
    })
    .await
}

async fn roll_back(api: &Api, space: &SpaceId, id: SubscriptionId) -> Result<(Subscription, Activity), Error> {
    let changing = api.host.registry.changing().await;
    let (mut subscription, activity) = find(&api.host, space, id).await?;
    // After one that was taken away, the last in the history is what it came back to.
    let is_another = |earlier: &&PluginRef| !subscription.plugin.as_ref().is_some_and(|now| now.runs_as(earlier));
    let Some(earlier) = subscription.plugin_history.iter().rfind(is_another).cloned() else {
        let detail = "the subscription had no other plugin before: there is nothing to go back to";
        return Err(Error::new(Code::NoEarlierPlugin, detail));
    };
    check_there(api, space, &earlier).await?;
    let policy = subscription.plugin.as_ref().unwrap_or(&earlier);
    let (on_failure, pause_after) = (policy.on_failure, policy.pause_after);
    let pinned = PluginRef { follows: None, held_back: None, on_failure, pause_after, ..earlier };
    subscription.set_plugin(Some(pinned));
    subscription.updated_at = api.host.clock.now();
    save(&api.host, &changing, &subscription).await?;
    Ok((subscription, activity))
}

/// Checks that the version was not deleted. Under a bundled one's name and version there may be the component of the
/// host's next version by now; the one that ran is kept.
async fn check_there(api: &Api, space: &SpaceId, earlier: &PluginRef) -> Result<(), Error> {
    let PluginRef { name, version, digest, .. } = earlier;
    let versions = api.host.store.plugins(space, Some(name)).await?;
    let listed = versions.iter().any(|plugin| plugin.version == *version);
    if listed && api.host.store.component(*digest).await?.is_some() {
        return Ok(());
    }
    let detail = format!("it used `{name}` {version} before, which was deleted: upload it again, or choose another");
    Err(Error::new(Code::PluginDeleted, detail))
}
