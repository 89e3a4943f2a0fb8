//! The shadow of a subscription: another version or configuration of its plugin, which runs on live events without
//! sending.

use std::sync::Arc;

use hookmill_model::Activity;
use hookmill_model::{PluginRef, SpaceId, Subscription, SubscriptionId, WantedVersion};
use serde_json::Value;

use super::activation::check_unchanged;
use super::plugin;
use super::saving::{catch_up, change, find, reread, save};
use crate::error::Error;
use crate::host::Host;
use crate::plugins::versions;
use crate::task::unbroken;

/// The error of a subscription that has no shadow.
pub fn none(id: SubscriptionId) -> Error {
    Error::not_found("shadow of", id)
}

/// Sets the shadow of a subscription. Another shadow replaces the present one; the same one continues.
///
/// # Errors
/// If nothing is given or it is wrong, the subscription is changed in the meantime, or the store fails.
pub async fn set(
    host: &Arc<Host>,
    space: &SpaceId,
    id: SubscriptionId,
    version: Option<WantedVersion>,
    config: Option<Value>,
) -> Result<Subscription, Error> {
    let (seen, _) = find(host, space, id).await?;
    let shadow = plugin::required_variant(host, &seen, version, config).await?;
    let host = Arc::clone(host);
    unbroken(async move {
        let changing = host.registry.changing().await;
        let mut subscription = check_unchanged(&host, &changing, &seen).await?;
        let with_shadow = Subscription { plugin: Some(shadow.clone()), ..subscription.clone() };
        let there = versions::check_there(&host, &changing, &with_shadow, Some(&subscription)).await;
        there.map_err(|err| err.at(""))?;
        subscription.shadow = Some(shadow);
        subscription.updated_at = host.clock.now();
        save(&host, &changing, &subscription).await?;
        Ok(subscription)
    })
    .await
}

/// Ends the shadow of a subscription.
///
/// # Errors
/// If it has none, or the store fails.
pub async fn end(host: &Arc<Host>, space: SpaceId, id: SubscriptionId) -> Result<(), Error> {
    change(host, space, id, move |subscription| subscription.shadow.take().map(drop).ok_or_else(|| none(id))).await?;
    Ok(())
}

/// Makes the shadow of a subscription its plugin. The handling of the plugin's failures stays as it is.
///
/// # Errors
/// If it has no shadow, or the store fails.
pub async fn promote(host: &Arc<Host>, space: SpaceId, id: SubscriptionId) -> Result<(Subscription, Activity), Error> {
    let host = Arc::clone(host);
    unbroken(async move {
        let saved = change(&host, space, id, move |subscription| {
            let shadow = subscription.shadow.take().ok_or_else(|| none(id))?;
            let policy = subscription.plugin.as_ref().unwrap_or(&shadow);
            let (on_failure, pause_after) = (policy.on_failure, policy.pause_after);
            subscription.set_plugin(Some(PluginRef { on_failure, pause_after, ..shadow }));
            Ok(())
        })
        .await?;
        // From here on it is committed.
        catch_up(&host, id).await;
        Ok(reread(&host, saved).await)
    })
    .await
}
