//! The pinned plugin of a delivery, which shapes it from its first failed attempt on.

use sha2::{Digest as _, Sha256};

use super::Digest;

/// The code and the configuration of a delivery's first attempt, which also shape every automatic retry: the receiver gets
/// the same bytes, whatever plugin the subscription uses by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedPlugin {
    /// The plugin's component; none for the default shape.
    pub digest: Option<Digest>,
    /// The plugin's configuration as JSON text; empty without a plugin.
    pub config: String,
}

impl PinnedPlugin {
    /// Returns its identity: SHA-256 of the digest and the configuration.
    pub fn id(&self) -> [u8; 32] {
        let digest = self.digest.as_ref().map_or(&[][..], |digest| digest.as_bytes());
        Sha256::new().chain_update(digest).chain_update(&self.config).finalize().into()
    }
}
