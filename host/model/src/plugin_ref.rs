//! The plugin that a subscription uses: its code, its configuration, and what to do when it fails.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Digest, Invalid, PluginName, PluginVersion, Subscription};

/// Earlier plugins that a subscription keeps for a rollback.
const HISTORY_MAX: usize = 10;

/// Bytes of their configurations together: each may have 256 KiB, and every listing reads all of them.
const HISTORY_BYTES_MAX: usize = 1 << 20;

/// A range of versions, such as `^1.2` or `1.x`, kept as the text that the caller wrote.
///
/// As in Cargo, it contains a pre-release only if it names a pre-release of the same version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    range: semver::VersionReq,
}

impl VersionRange {
    /// Parses a range of semantic versions.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let range = (text.len() <= 64).then(|| semver::VersionReq::parse(text).ok()).flatten();
        let wrong = || Invalid::new("a range of versions is text such as ^1.2, ~1.2.3, 1.x or >=1.2, <3");
        range.map(|range| Self { text: text.to_owned(), range }).ok_or_else(wrong)
    }

    /// Whether the range contains `version`.
    pub fn contains(&self, version: &PluginVersion) -> bool {
        self.range.matches(version.semver())
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for VersionRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VersionRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The version of a plugin that a subscription requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedVersion {
    /// Exactly this version.
    Exactly(PluginVersion),
    /// The newest version in this range, following newer ones as they appear.
    Within(VersionRange),
}

impl FromStr for WantedVersion {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Ok(version) = PluginVersion::parse(text) {
            return Ok(Self::Exactly(version));
        }
        let wrong = |_| Invalid::new("a version is a semantic version such as 1.4.0, or a range such as ^1.2 or 1.x");
        VersionRange::parse(text).map(Self::Within).map_err(wrong)
    }
}

impl fmt::Display for WantedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(version) => version.fmt(f),
            Self::Within(range) => range.fmt(f),
        }
    }
}

impl Serialize for WantedVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WantedVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What happens to a delivery when its plugin fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It fails without a retry, unless the plugin itself says that a later attempt may succeed.
    #[default]
    Fail,
    /// It is retried, on the retry schedule.
    Retry,
    /// It is sent in the default shape.
    DefaultShape,
}

/// The plugin that a subscription uses, with its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRef {
    /// The plugin's name.
    pub name: PluginName,
    /// The version that runs.
    pub version: PluginVersion,
    /// That version's digest, which is what runs.
    pub digest: Digest,
    /// The configuration, a JSON value that the version's schema describes.
    pub config: Value,
    /// The range of versions that it follows; none if it stays at its version.
    #[serde(default)]
    pub follows: Option<VersionRange>,
    /// Why it does not run the newest version of that range: that version, and the error in the configuration.
    #[serde(default)]
    pub held_back: Option<String>,
    /// What happens to a delivery when it fails.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The number of failures in a row after which its subscription is paused; none for never.
    #[serde(default)]
    pub pause_after: Option<u32>,
}

impl PluginRef {
    /// Returns the requested version.
    pub fn wanted(&self) -> WantedVersion {
        match &self.follows {
            Some(range) => WantedVersion::Within(range.clone()),
            None => WantedVersion::Exactly(self.version.clone()),
        }
    }

    /// Whether the other one is the same code with the same configuration.
    pub fn runs_as(&self, other: &Self) -> bool {
        self.digest == other.digest && self.config == other.config
    }
}

impl Subscription {
    /// Returns what happens to a delivery when its plugin fails: the setting of the current plugin, or of the last one, which
    /// deliveries may still be retried with.
    pub fn on_failure(&self) -> OnFailure {
        let plugin = self.plugin.as_ref().or_else(|| self.plugin_history.last());
        plugin.map(|plugin| plugin.on_failure).unwrap_or_default()
    }

    /// Changes the plugin; the only way to do so. The previous one goes into the history if its code or configuration
    /// differs.
    pub fn set_plugin(&mut self, new: Option<PluginRef>) {
        let Some(old) = std::mem::replace(&mut self.plugin, new) else { return };
        // A shadow is another version of the same plugin.
        if self.plugin.as_ref().is_none_or(|new| new.name != old.name) {
            self.shadow = None;
        }
        if self.plugin.as_ref().is_some_and(|new| new.runs_as(&old)) {
            return;
        }
        self.plugin_history.push(old);
        let mut bytes = 0;
        let newest = self.plugin_history.iter().rev().take(HISTORY_MAX).take_while(|plugin| {
            bytes += plugin.config.to_string().len();
            bytes <= HISTORY_BYTES_MAX
        });
        let dropped = self.plugin_history.len() - newest.count();
        self.plugin_history.drain(..dropped);
    }
}
