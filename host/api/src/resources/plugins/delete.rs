//! Deletion of an unused version of a plugin.

use axum::extract::State;
use axum::http::StatusCode;
use hookmill_model::{Digest, PluginName, PluginVersion, SpaceId, Subscription};
use hookmill_store::{DeletedPlugin, WaitingDeliveries};

use crate::Api;
use crate::http::access::Manages;
use crate::http::extract::PathParams;
use crate::http::problem::Problem;
use hookmill_server::error::{Code, Error};
use hookmill_server::plugins::follow::follow;
use hookmill_server::registry::Changing;
use hookmill_server::task::unbroken;

/// Maximum number of users that the error lists.
const NAMED_MAX: usize = 20;

/// Deletes one version of a plugin.
///
/// The version must not be in use: neither by a subscription, nor by a delivery that is still to be retried. Previous
/// plugins of subscriptions do not count: a rollback to a deleted version is refused with `plugin_deleted`.
#[utoipa::path(delete, path = "/v1/spaces/{space}/plugins/{plugin}/{version}", tag = "plugins",
    responses(
        (status = 204, description = "The plugin version is deleted"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "plugin_in_use, with the users in the detail, or plugin_bundled")))]
pub(super) async fn delete_plugin(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<StatusCode, Problem> {
    let (name, version): (PluginName, PluginVersion) = (params.get("plugin")?, params.get("version")?);
    unbroken(async move {
        {
            let changing = api.host.registry.changing().await;
            delete(&api, &changing, &space, &name, &version).await?;
        }
        // Subscriptions that its schema held back can now follow another version. The deletion is committed: an error
        // would make the caller repeat it.
        if let Err(err) = follow(&api.host, &space, &name).await {
            tracing::error!(plugin = %name, error = &err as &dyn std::error::Error, "plugin versions not followed");
        }
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Deletes the version. The guard keeps a subscription from choosing it meanwhile.
async fn delete(
    api: &Api,
    _guard: &Changing<'_>,
    space: &SpaceId,
    name: &PluginName,
    version: &PluginVersion,
) -> Result<(), Error> {
    let found = api.host.store.plugins(space, Some(name)).await?;
    let of_version = || found.iter().filter(|plugin| plugin.version == *version);
    let Some(plugin) = of_version().find(|plugin| plugin.space.is_some()) else {
        if of_version().next().is_some() {
            let detail = format!("plugin `{name}` {version} is bundled with the host and cannot be deleted");
            return Err(Error::new(Code::PluginBundled, detail));
        }
        return Err(Error::not_found("plugin", format!("{name} {version}")));
    };
    let users = api.host.registry.all(|subscription| uses(subscription, plugin.digest));
    let (own, others): (Vec<_>, Vec<_>) = users.iter().partition(|compiled| compiled.subscription.space == *space);
    if !own.is_empty() {
        let mut own: Vec<_> = own.iter().map(|compiled| &compiled.subscription).collect();
        own.sort_by_key(|subscription| subscription.id);
        let named = own.iter().take(NAMED_MAX).map(|user| format!("`{}` ({})", user.name, user.id));
        return Err(in_use(own.len() as u64, "subscriptions use this version", &named.collect::<Vec<_>>()));
    }
    match api.host.store.delete_plugin(plugin, others.is_empty(), NAMED_MAX).await? {
        DeletedPlugin::Done => Ok(()),
        DeletedPlugin::InUse(WaitingDeliveries { count, first }) => {
            let named = first.iter().map(|(delivery, subscription)| format!("{delivery} of {subscription}"));
            Err(in_use(count, "deliveries are still to be retried with this version", &named.collect::<Vec<_>>()))
        }
    }
}

/// Returns whether a subscription uses a component, for its plugin or its shadow. Its previous plugin does not count.
fn uses(subscription: &Subscription, digest: Digest) -> bool {
    [&subscription.plugin, &subscription.shadow].into_iter().flatten().any(|plugin| plugin.digest == digest)
}

fn in_use(count: u64, how: &str, named: &[String]) -> Error {
    let more = if count > named.len() as u64 { ", …" } else { "" };
    Error::new(Code::PluginInUse, format!("{count} {how}: {}{more}", named.join(", ")))
}
