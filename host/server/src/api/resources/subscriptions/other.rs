//! Another version or configuration of a subscription's plugin, as it is tried out before it is taken.

use serde_json::Value;

use crate::api::Api;
use crate::error::{Code, Error};
use crate::plugins::versions;
use hookmill_model::{PluginRef, Subscription, WantedVersion};

/// The subscription's plugin with what is given in the place of what it has; none if nothing is given.
pub(super) async fn variant(
    api: &Api,
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
        Error::field(given, "the subscription has no plugin: POST …/plugins/{plugin}/preview shows what one would do")
    })?;
    let follows = match &version {
        Some(WantedVersion::Within(range)) => Some(range.clone()),
        Some(WantedVersion::Exactly(_)) => None,
        None => own.follows.clone(),
    };
    // With another configuration alone it is the very version that runs now, whatever is followed.
    let wanted = version.unwrap_or_else(|| WantedVersion::Exactly(own.version.clone()));
    let chosen = versions::choose(&api.host, &subscription.space, &own.name, Some(&wanted)).await;
    let chosen = chosen.map_err(|err| err.at(""))?;
    let config = config.unwrap_or_else(|| own.config.clone());
    let config = versions::configured(&chosen.config_schema, config).await.map_err(|err| err.at("/config"))?;
    let (version, digest) = (chosen.version, chosen.digest);
    Ok(Some(PluginRef { version, digest, config, follows, held_back: None, ..own }))
}

/// The same, where something must be given.
pub(super) async fn must(
    api: &Api,
    subscription: &Subscription,
    version: Option<WantedVersion>,
    config: Option<Value>,
) -> Result<PluginRef, Error> {
    let other = variant(api, subscription, version, config).await?;
    other.ok_or_else(|| Error::at(Code::FieldMissing, "", "missing: another `version`, another `config`, or both"))
}
