//! Which versions of a plugin there are, and choosing one with a configuration that fits it.

use serde_json::Value;

use super::{defaults, schema};
use crate::error::Error;
use crate::host::Host;
use crate::registry::Changing;
use hookmill_model::{Plugin, PluginName, SpaceId, Subscription, VersionRange, WantedVersion};
use hookmill_store::{Store, StoreError};

/// What the contract with plugins says of a configuration.
const CONFIG_BYTES_MAX: usize = 256 << 10;

/// Versions that a problem names.
const NAMED_MAX: usize = 10;

/// The versions of a plugin that the space has itself.
pub async fn own(store: &dyn Store, space: &SpaceId, name: &PluginName) -> Result<Vec<Plugin>, StoreError> {
    let mut found = store.plugins(space, Some(name)).await?;
    found.retain(|plugin| plugin.space.is_some());
    Ok(found)
}

/// The versions of one plugin that a space can use, newest first: its own, or else the bundled ones.
pub async fn usable(store: &dyn Store, space: &SpaceId, name: &PluginName) -> Result<Vec<Plugin>, StoreError> {
    let mut found = store.plugins(space, Some(name)).await?;
    hide_bundled(&mut found);
    Ok(found)
}

/// Removes the bundled plugins that a space's own of the same name hide, and sorts by name, newest version first.
pub fn hide_bundled(plugins: &mut Vec<Plugin>) {
    let own: Vec<_> =
        plugins.iter().filter(|plugin| plugin.space.is_some()).map(|plugin| plugin.name.clone()).collect();
    plugins.retain(|plugin| plugin.space.is_some() || !own.contains(&plugin.name));
    plugins.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| b.version.cmp(&a.version)));
}

/// The newest of `versions` (newest first) that is no pre-release; the newest pre-release if there is no other.
pub fn newest(versions: &[Plugin]) -> Option<&Plugin> {
    versions.iter().find(|plugin| !plugin.version.is_prerelease()).or_else(|| versions.first())
}

/// The newest of `versions` (newest first) that is in a range.
pub fn newest_within<'a>(versions: &'a [Plugin], range: &VersionRange) -> Option<&'a Plugin> {
    versions.iter().find(|plugin| range.contains(&plugin.version))
}

/// The plugin that a subscription of this space asks for.
pub async fn choose(
    host: &Host,
    space: &SpaceId,
    name: &PluginName,
    wanted: Option<&WantedVersion>,
) -> Result<Plugin, Error> {
    let versions = usable(&*host.store, space, name).await?;
    let chosen = match wanted {
        Some(WantedVersion::Exactly(version)) => versions.iter().find(|plugin| plugin.version == *version),
        Some(WantedVersion::Within(range)) => newest_within(&versions, range),
        None => newest(&versions),
    };
    chosen.cloned().ok_or_else(|| {
        if versions.is_empty() {
            return Error::field("/plugin/name", format!("there is no plugin `{name}`"));
        }
        let have: Vec<_> = versions.iter().take(NAMED_MAX).map(|plugin| plugin.version.to_string()).collect();
        Error::field("/plugin/version", format!("there is no such version of `{name}`: {}", have.join(", ")))
    })
}

/// A configuration that stands at `pointer`, with the defaults of the version's schema, if it fits that schema.
pub async fn configured(plugin: &Plugin, config: Value, pointer: &str) -> Result<Value, Error> {
    configured_by(&plugin.config_schema, config, pointer).await
}

/// The same, of a schema.
pub async fn configured_by(schema: &Value, config: Value, pointer: &str) -> Result<Value, Error> {
    let too_large = || {
        Error::field(pointer, format!("a configuration has at most {CONFIG_BYTES_MAX} bytes, its defaults included"))
    };
    let room = CONFIG_BYTES_MAX.checked_sub(config.to_string().len()).ok_or_else(too_large)?;
    let mut config = config;
    defaults::fill(schema, &mut config, room).map_err(|defaults::TooLarge| too_large())?;
    schema::check(schema, &config, pointer).await?;
    Ok(config)
}

/// Checks that the plugin version of `new` still exists: without the lock it may be deleted after it was chosen.
pub async fn check_there(
    host: &Host,
    _: &Changing<'_>,
    new: &Subscription,
    old: Option<&Subscription>,
) -> Result<(), Error> {
    let Some(plugin) = &new.plugin else { return Ok(()) };
    if old.and_then(|old| old.plugin.as_ref()).is_some_and(|old| old.digest == plugin.digest) {
        return Ok(());
    }
    let there = host.store.plugins(&new.space, Some(&plugin.name)).await?;
    if there.iter().any(|there| there.digest == plugin.digest) {
        return Ok(());
    }
    let gone = format!("`{}` {} was deleted at this moment: choose another", plugin.name, plugin.version);
    Err(Error::field("/plugin/version", gone))
}
