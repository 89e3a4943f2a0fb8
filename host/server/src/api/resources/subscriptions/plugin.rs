//! A subscription's plugin, as callers write it and as it is shown.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::input::missing;
use crate::api::Api;
use crate::api::http::number::Whole;
use crate::error::Error;
use crate::plugins::versions;
use hookmill_model::{
    Digest, OnFailure, PluginName, PluginRef, PluginVersion, SpaceId, Subscription, VersionRange, WantedVersion,
};

/// The plugin to use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginInput {
    /// Its name: of one of the space's own, or else of a bundled one.
    #[schema(value_type = String, required, nullable = false)]
    name: Option<PluginName>,
    /// A version, `1.4.0`, with which the subscription stays; or a range, `^1.2` or `1.x`, whose newest release it
    /// follows. The newest if it is left out, with which it stays.
    #[schema(value_type = Option<String>)]
    version: Option<WantedVersion>,
    /// Its configuration, which its schema describes: at most 256 KiB; `{}` by default. What the schema has a default
    /// for is filled in.
    config: Option<Value>,
    /// What becomes of a delivery when the plugin fails; `fail` by default.
    #[schema(value_type = Option<OnFailureName>)]
    on_failure: Option<OnFailure>,
    /// After how many failures of the plugin in a row the subscription is paused; never by default.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000)]
    pause_after: Option<Whole<1, 1_000>>,
}

/// What becomes of a delivery when its plugin fails.
#[derive(ToSchema)]
#[schema(as = OnFailure, rename_all = "snake_case")]
#[expect(dead_code, reason = "stands in the document for the model's policy, which knows nothing of documents")]
enum OnFailureName {
    /// It fails for good, unless the plugin itself says that a later attempt may do better.
    Fail,
    /// It is tried again, on the retry schedule.
    Retry,
    /// It is sent in the default shape.
    DefaultShape,
}

/// The plugin that a subscription uses.
#[derive(Serialize, ToSchema)]
#[schema(as = PluginRef)]
pub(super) struct PluginRefView {
    /// Its name.
    #[schema(value_type = String)]
    name: PluginName,
    /// The version that runs.
    #[schema(value_type = String)]
    version: PluginVersion,
    /// The range of versions whose newest it follows; null if it stays with its version.
    #[schema(value_type = Option<String>, required)]
    follows: Option<VersionRange>,
    /// Why it does not run the newest version of that range: `1.3.0: /path: what is wrong with the configuration`; null
    /// if it does.
    #[schema(required)]
    held_back: Option<String>,
    /// The digest of its component, which is what runs.
    #[schema(value_type = String)]
    digest: Digest,
    /// Its configuration.
    config: Value,
    /// What becomes of a delivery when it fails.
    #[schema(value_type = OnFailureName)]
    on_failure: OnFailure,
    /// After how many of its failures in a row the subscription is paused; null is never.
    #[schema(required)]
    pause_after: Option<u32>,
}

impl From<PluginRef> for PluginRefView {
    fn from(plugin: PluginRef) -> Self {
        let PluginRef { name, version, digest, config, follows, held_back, on_failure, pause_after } = plugin;
        let held_back = held_back.map(|held_back| held_back.to_string());
        Self { name, version, follows, held_back, digest, config, on_failure, pause_after }
    }
}

/// A plugin that a subscription used before. Its configuration comes back with it.
#[derive(Serialize, ToSchema)]
#[schema(as = EarlierPlugin)]
pub(super) struct EarlierPluginView {
    /// Its name.
    #[schema(value_type = String)]
    name: PluginName,
    /// The version that ran.
    #[schema(value_type = String)]
    version: PluginVersion,
    /// The digest of its component.
    #[schema(value_type = String)]
    digest: Digest,
}

impl From<PluginRef> for EarlierPluginView {
    fn from(PluginRef { name, version, digest, .. }: PluginRef) -> Self {
        Self { name, version, digest }
    }
}

/// Turns what is shown of a plugin into what a caller would write.
pub(super) fn as_written(shown: &mut Map<String, Value>) {
    shown.remove("digest");
    shown.remove("held_back");
    if let Some(range) = shown.remove("follows").filter(Value::is_string) {
        shown.insert("version".to_owned(), range);
    }
}

/// The plugin that is asked for.
pub(super) async fn chosen(
    api: &Api,
    space: &SpaceId,
    given: Option<PluginInput>,
    old: Option<&Subscription>,
) -> Result<Option<PluginRef>, Error> {
    let Some(PluginInput { name, version, config, on_failure, pause_after }) = given else { return Ok(None) };
    let name = name.ok_or_else(|| missing("/plugin/name", "the plugin's name"))?;
    let config = config.unwrap_or_else(|| Value::Object(Map::new()));
    let on_failure = on_failure.unwrap_or_default();
    let pause_after = pause_after.map(|count| count.0);
    // What is not touched stays as it was saved, even if it could not be had today.
    if let Some(had) = old.and_then(|old| old.plugin.as_ref())
        && had.name == name
        && Some(had.wanted()) == version
        && had.config == config
    {
        return Ok(Some(PluginRef { on_failure, pause_after, ..had.clone() }));
    }
    let plugin = versions::choose(&api.host, space, &name, version.as_ref()).await.map_err(|err| err.at("/plugin"))?;
    let config = versions::configured(&plugin.config_schema, config).await.map_err(|err| err.at("/plugin/config"))?;
    let follows = match version {
        Some(WantedVersion::Within(range)) => Some(range),
        Some(WantedVersion::Exactly(_)) | None => None,
    };
    let (version, digest) = (plugin.version, plugin.digest);
    Ok(Some(PluginRef { name, version, digest, config, follows, held_back: None, on_failure, pause_after }))
}
