//! The plugin of a subscription: choosing it, trying out a variant of it, and rolling it back.

use std::sync::Arc;

use hookmill_model::Activity;
use hookmill_model::{Plugin, PluginRef, SpaceId, Subscription, SubscriptionId, VersionRange, WantedVersion};
use serde_json::{Map, Value};

use super::check::missing;
use super::definition::PluginInput;
use super::saving::{find, reread, save};
use crate::error::{Code, Error};
use crate::host::Host;
use crate::plugins::schema::Checker;
use crate::plugins::versions;
use crate::registry::Changing;
use crate::task::unbroken;

/// Chooses the plugin of a definition.
pub(super) async fn chosen(
    host: &Host,
    space: &SpaceId,
    given: Option<PluginInput>,
    old: Option<&Subscription>,
) -> Result<Option<PluginRef>, Error> {
    let Some(PluginInput { name, version, config, on_failure, pause_after }) = given else { return Ok(None) };
    let name = name.ok_or_else(|| missing("/plugin/name", "the plugin's name"))?;
    let config = config.unwrap_or_else(|| Value::Object(Map::new()));
    let on_failure = on_failure.unwrap_or_default();
    let pause_after = pause_after.map(|count| count.0);
    // An unchanged plugin stays as it was saved, even if it would not be accepted today.
    if let Some(had) = old.and_then(|old| old.plugin.as_ref())
        && had.name == name
        && Some(had.wanted()) == version
        && had.config == config
    {
        return Ok(Some(PluginRef { on_failure, pause_after, ..had.clone() }));
    }
    let plugin = versions::choose(host, space, &name, version.as_ref()).await.map_err(|err| err.at("/plugin"))?;
    let config = versions::configured(Checker::of(host, space), &plugin.config_schema, config).await;
    let config = config.map_err(|err| err.at("/plugin/config"))?;
    let Plugin { version: exact, digest, .. } = plugin;
    let follows = version.and_then(range);
    Ok(Some(PluginRef { name, version: exact, digest, config, follows, held_back: None, on_failure, pause_after }))
}

fn range(wanted: WantedVersion) -> Option<VersionRange> {
    match wanted {
        WantedVersion::Within(range) => Some(range),
        WantedVersion::Exactly(_) => None,
    }
}

/// Returns the plugin of a subscription in another version, with another configuration, or both; none if neither is
/// given.
///
/// # Errors
/// If the subscription has no plugin, there is no such version, or the configuration does not fit it.
pub async fn variant(
    host: &Host,
    subscription: &Subscription,
    version: Option<WantedVersion>,
    config: Option<Value>,
) -> Result<Option<PluginRef>, Error> {
    let given = match (&version, &config) {
        (None, None) => return Ok(None),
        (Some(_), _) => "/version",
        (None, Some(_)) => "/config",
    };
    let own = subscription.plugin.clone().ok_or_else(|| {
        Error::field(given, "the subscription has no plugin: use POST …/plugins/{plugin}/preview to try one")
    })?;
    let follows = version.clone().map_or_else(|| own.follows.clone(), range);
    // With another configuration alone it is the very version that runs now, whatever is followed.
    let wanted = version.unwrap_or_else(|| WantedVersion::Exactly(own.version.clone()));
    let chosen = versions::choose(host, &subscription.space, &own.name, Some(&wanted)).await;
    let chosen = chosen.map_err(|err| err.at(""))?;
    let config = config.unwrap_or_else(|| own.config.clone());
    let config = versions::configured(Checker::of(host, &subscription.space), &chosen.config_schema, config).await;
    let config = config.map_err(|err| err.at("/config"))?;
    let Plugin { version, digest, .. } = chosen;
    Ok(Some(PluginRef { version, digest, config, follows, held_back: None, ..own }))
}

/// Like [`variant`], where something must be given.
///
/// # Errors
/// If nothing is given; else as [`variant`].
pub async fn required_variant(
    host: &Host,
    subscription: &Subscription,
    version: Option<WantedVersion>,
    config: Option<Value>,
) -> Result<PluginRef, Error> {
    let variant = variant(host, subscription, version, config).await?;
    variant.ok_or_else(|| missing("", "another `version`, another `config`, or both"))
}

/// Returns a subscription to the plugin that it used before, with that version and configuration.
///
/// # Errors
/// If it used no other, that version was deleted, or the store fails.
pub async fn roll_back(
    host: &Arc<Host>,
    space: SpaceId,
    id: SubscriptionId,
) -> Result<(Subscription, Activity), Error> {
    let host = Arc::clone(host);
    unbroken(async move {
        let saved = {
            let changing = host.registry.changing().await;
            let (mut subscription, activity) = find(&host, &space, id).await?;
            let earlier = earlier(&subscription)?;
            check_exists(&host, &changing, &space, &earlier).await?;
            let policy = subscription.plugin.as_ref().unwrap_or(&earlier);
            let (on_failure, pause_after) = (policy.on_failure, policy.pause_after);
            let kept = PluginRef { follows: None, held_back: None, on_failure, pause_after, ..earlier };
            subscription.set_plugin(Some(kept));
            subscription.updated_at = host.clock.now();
            save(&host, &changing, &subscription).await?;
            (subscription, activity)
        };
        Ok(reread(&host, saved).await)
    })
    .await
}

/// Returns the last plugin in the history that runs differently from the present one. If the plugin was removed since,
/// that is the one that was removed.
fn earlier(subscription: &Subscription) -> Result<PluginRef, Error> {
    let is_another = |earlier: &&PluginRef| !subscription.plugin.as_ref().is_some_and(|now| now.runs_as(earlier));
    subscription.plugin_history.iter().rfind(is_another).cloned().ok_or_else(|| {
        let detail = "the subscription used no other plugin before: there is nothing to roll back to";
        Error::new(Code::NoEarlierPlugin, detail)
    })
}

/// Checks that a plugin's version was not deleted. A bundled plugin's name and version may stand for the component of a
/// newer host by now; the component that ran is kept.
async fn check_exists(host: &Host, _: &Changing<'_>, space: &SpaceId, earlier: &PluginRef) -> Result<(), Error> {
    let PluginRef { name, version, digest, .. } = earlier;
    let versions = host.store.plugins(space, Some(name)).await?;
    let listed = versions.iter().any(|plugin| plugin.version == *version);
    if listed && host.store.component(*digest).await?.is_some() {
        return Ok(());
    }
    let detail = format!("the earlier plugin `{name}` {version} was deleted: upload it again, or choose another");
    Err(Error::new(Code::PluginDeleted, detail))
}
