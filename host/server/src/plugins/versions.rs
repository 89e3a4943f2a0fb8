//! The versions of a plugin, and choosing one with a configuration that fits it.

use hookmill_model::{Plugin, PluginName, PluginVersion, SpaceId, Subscription, VersionRange, WantedVersion};
use hookmill_store::{Store, StoreError};
use serde_json::Value;

use super::defaults;
use super::schema::{CheckError, Checker};
use crate::error::Error;
use crate::host::Host;
use crate::registry::Changing;

/// Bytes of a configuration, as the contract with plugins states.
const CONFIG_BYTES_MAX: usize = 256 << 10;

/// Versions that an error lists.
const LISTED_MAX: usize = 10;

/// Why there is no plugin for a subscription.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// The space cannot use a plugin of this name.
    #[error("there is no plugin `{0}`")]
    NoPlugin(PluginName),
    /// The plugin has no such version.
    #[error("there is no such version of `{name}`: {}", listed(versions))]
    NoVersion {
        /// Its name.
        name: PluginName,
        /// The newest versions that there are.
        versions: Vec<PluginVersion>,
    },
    /// The version was deleted after it was chosen.
    #[error("`{name}` {version} was deleted meanwhile: choose another")]
    Deleted {
        /// Its name.
        name: PluginName,
        /// The version.
        version: PluginVersion,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

fn listed(versions: &[PluginVersion]) -> String {
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl ChooseError {
    /// The API's error, for a body whose plugin is the object at `pointer`.
    pub fn at(self, pointer: &str) -> Error {
        match self {
            Self::NoPlugin(_) => Error::field(format!("{pointer}/name"), self),
            Self::NoVersion { .. } | Self::Deleted { .. } => Error::field(format!("{pointer}/version"), self),
            Self::Store(error) => error.into(),
        }
    }
}

/// Why a plugin cannot have a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is too large.
    #[error("a configuration has at most {CONFIG_BYTES_MAX} bytes, its defaults included")]
    TooLarge,
    /// It does not fit the plugin's schema, or could not be checked.
    #[error(transparent)]
    Check(#[from] CheckError),
}

impl ConfigError {
    /// The API's error, for a configuration at `pointer` in the body.
    pub fn at(self, pointer: &str) -> Error {
        match self {
            Self::TooLarge => Error::field(pointer, self),
            Self::Check(error) => error.at(pointer),
        }
    }

    /// Whether the configuration is at fault, and not the host.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::TooLarge | Self::Check(CheckError::Unfit { .. } | CheckError::TooMuch) => true,
            Self::Check(CheckError::Busy | CheckError::NoSchema(_) | CheckError::Process(_)) => false,
        }
    }
}

/// Returns the versions of a plugin that belong to the space itself.
///
/// # Errors
/// If the store fails.
pub async fn own(store: &dyn Store, space: &SpaceId, name: &PluginName) -> Result<Vec<Plugin>, StoreError> {
    let mut found = store.plugins(space, Some(name)).await?;
    found.retain(|plugin| plugin.space.is_some());
    Ok(found)
}

/// Returns the versions of a plugin that a space can use, newest first: its own, or else the bundled ones.
///
/// # Errors
/// If the store fails.
pub async fn usable(store: &dyn Store, space: &SpaceId, name: &PluginName) -> Result<Vec<Plugin>, StoreError> {
    let mut found = store.plugins(space, Some(name)).await?;
    hide_bundled(&mut found);
    Ok(found)
}

/// Removes the bundled plugins that a space's own plugins of the same name hide, and sorts by name, newest version first.
pub fn hide_bundled(plugins: &mut Vec<Plugin>) {
    let own: Vec<_> =
        plugins.iter().filter(|plugin| plugin.space.is_some()).map(|plugin| plugin.name.clone()).collect();
    plugins.retain(|plugin| plugin.space.is_some() || !own.contains(&plugin.name));
    plugins.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| b.version.cmp(&a.version)));
}

/// Returns the newest of `versions` (newest first) that is not a pre-release; the newest pre-release if there is no other.
pub fn newest(versions: &[Plugin]) -> Option<&Plugin> {
    versions.iter().find(|plugin| !plugin.version.is_prerelease()).or_else(|| versions.first())
}

/// Returns the newest of `versions` (newest first) that is in a range.
pub fn newest_within<'a>(versions: &'a [Plugin], range: &VersionRange) -> Option<&'a Plugin> {
    versions.iter().find(|plugin| range.contains(&plugin.version))
}

/// Returns the plugin that a subscription of this space asks for.
///
/// # Errors
/// If there is none, or the store fails.
pub async fn choose(
    host: &Host,
    space: &SpaceId,
    name: &PluginName,
    wanted: Option<&WantedVersion>,
) -> Result<Plugin, ChooseError> {
    let versions = usable(&*host.store, space, name).await?;
    let chosen = match wanted {
        Some(WantedVersion::Exactly(version)) => versions.iter().find(|plugin| plugin.version == *version),
        Some(WantedVersion::Within(range)) => newest_within(&versions, range),
        None => newest(&versions),
    };
    chosen.cloned().ok_or_else(|| {
        if versions.is_empty() {
            return ChooseError::NoPlugin(name.clone());
        }
        let versions = versions.into_iter().take(LISTED_MAX).map(|plugin| plugin.version).collect();
        ChooseError::NoVersion { name: name.clone(), versions }
    })
}

/// Fills the defaults of a plugin's schema into a configuration, and checks that it fits the schema.
///
/// # Errors
/// If it does not, or cannot be checked.
pub async fn configured(checker: Checker<'_>, schema: &Value, mut config: Value) -> Result<Value, ConfigError> {
    let room = CONFIG_BYTES_MAX.checked_sub(config.to_string().len()).ok_or(ConfigError::TooLarge)?;
    defaults::fill(schema, &mut config, room).map_err(|defaults::TooLarge| ConfigError::TooLarge)?;
    checker.check(schema, &config).await?;
    Ok(config)
}

/// Checks that the plugin that `new` was given still exists: without the guard it may have been deleted since it was
/// chosen.
///
/// # Errors
/// If it was deleted, or the store fails.
pub async fn check_there(
    host: &Host,
    _guard: &Changing<'_>,
    new: &Subscription,
    old: Option<&Subscription>,
) -> Result<(), ChooseError> {
    let Some(plugin) = &new.plugin else { return Ok(()) };
    if old.and_then(|old| old.plugin.as_ref()).is_some_and(|old| old.digest == plugin.digest) {
        return Ok(());
    }
    let there = host.store.plugins(&new.space, Some(&plugin.name)).await?;
    if there.iter().any(|there| there.digest == plugin.digest) {
        return Ok(());
    }
    Err(ChooseError::Deleted { name: plugin.name.clone(), version: plugin.version.clone() })
}
