//! A secret that the receiver has too, for signing.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Invalid;

/// The longest secret: longer than any that a receiver's platform issues.
const SECRET_BYTES_MAX: usize = 512;

/// A secret of visible ASCII characters. Further requirements depend on the scheme that signs with it
/// ([`Signing::check_secret`](super::Signing::check_secret)).
///
/// `Debug` does not show it. Serializing writes it in clear, which is for the store only; the API masks it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Generates a secret of 32 random bytes in the format of Standard Webhooks, `whsec_` and base64.
    pub fn generate() -> Self {
        Self(format!("whsec_{}", STANDARD.encode(random())))
    }

    /// Generates a private key for Ed25519 in the format of Standard Webhooks, `whsk_` and base64 of its 32 bytes.
    pub fn generate_ed25519() -> Self {
        Self(format!("whsk_{}", STANDARD.encode(random())))
    }

    /// Generates a secret of 32 random bytes in hexadecimal, for schemes whose key is a text.
    pub fn generate_text() -> Self {
        Self(hex::encode(random()))
    }

    /// Parses a secret.
    ///
    /// # Errors
    /// If it is empty, longer than 512 bytes or not visible ASCII. The message does not contain it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if (1..=SECRET_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("a secret is 1 to 512 characters of visible ASCII, without spaces"))
        }
    }

    /// Returns the secret in clear.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Decodes the base64 after `prefix`; none if the secret has another format.
    pub fn decode(&self, prefix: &str) -> Option<Vec<u8>> {
        STANDARD.decode(self.0.strip_prefix(prefix)?).ok()
    }
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.reveal())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
