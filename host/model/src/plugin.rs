//! A plugin as it was uploaded: immutable, identified by name, version and digest.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Invalid, SpaceId};

/// SHA-256 of a component's bytes, written `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Computes the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the 64 hex digits without the prefix, for file names.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("a digest is sha256: and 64 hex digits in lower case");
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64).ok_or_else(wrong)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let pair = str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        if Self(bytes).hex() == hex { Ok(Self(bytes)) } else { Err(wrong()) }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A plugin's name: 1 to 64 of `a-z 0-9 -`, starting with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginName(String);

impl PluginName {
    /// Parses a plugin's name.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let ok = (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("a plugin's name is 1 to 64 characters of a-z, 0-9 and -, starting with a letter"))
        }
    }
}
crate::text_newtype!(PluginName);

/// A plugin's version: a semantic version such as `1.4.0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginVersion(semver::Version);

impl PluginVersion {
    /// Parses a semantic version.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let version = (text.len() <= 64).then(|| semver::Version::parse(text).ok()).flatten();
        version.map(Self).ok_or_else(|| Invalid::new("a version is a semantic version such as 1.4.0"))
    }

    /// Returns the version as the semver crate's type.
    pub(super) fn semver(&self) -> &semver::Version {
        &self.0
    }

    /// Whether it is a pre-release, such as `2.0.0-rc.1`.
    pub fn is_prerelease(&self) -> bool {
        !self.0.pre.is_empty()
    }
}

impl fmt::Display for PluginVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for PluginVersion {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl Serialize for PluginVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PluginVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// One version of a plugin, without the component's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugin {
    /// The space that it was uploaded to; none for a bundled plugin, which every space may use.
    pub space: Option<SpaceId>,
    /// Its name.
    pub name: PluginName,
    /// Its version.
    pub version: PluginVersion,
    /// The digest of its component.
    pub digest: Digest,
    /// Its purpose.
    pub summary: String,
    /// The content types that it produces.
    pub content_types: Vec<String>,
    /// The JSON Schema of its configuration.
    pub config_schema: Value,
    /// The component's size, in bytes.
    pub size_bytes: u64,
    /// The reference by digest that it was pulled from, or the name of its file; none if it was uploaded or is bundled.
    pub source: Option<String>,
    /// When it was uploaded.
    pub created_at: Timestamp,
}
