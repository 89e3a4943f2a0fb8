//! The public key of a signer of plugins.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Invalid;

/// An Ed25519 public key: `whpk_` and base64 of its 32 bytes, the format of Standard Webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PluginKey(String);

impl PluginKey {
    /// Parses a public key.
    ///
    /// # Errors
    /// If the text has another format; the message points out a private key.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.starts_with("whsk_") {
            return Err(Invalid::new("this is a private key; the public one starts with whpk_"));
        }
        match text.strip_prefix("whpk_").and_then(|base64| STANDARD.decode(base64).ok()) {
            Some(bytes) if bytes.len() == 32 => Ok(Self(text.to_owned())),
            _ => Err(Invalid::new("a public key is whpk_ followed by the 32 bytes of an Ed25519 public key in base64")),
        }
    }

    /// Creates a key from its 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(format!("whpk_{}", STANDARD.encode(bytes)))
    }

    /// Returns the 32 bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let base64 = self.0.strip_prefix("whpk_").expect("the text was checked by parse");
        STANDARD.decode(base64).expect("the text was checked by parse")
    }
}
crate::text_newtype!(PluginKey);
