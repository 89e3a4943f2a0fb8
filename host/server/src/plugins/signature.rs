//! Signatures of plugins: the holder of an Ed25519 key vouches for a component.
//!
//! The signed message is the text of the component's digest, `sha256:` and 64 hex digits, as the API and every tool show
//! it, so that `printf %s sha256:… | openssl pkeyutl -sign -rawin` makes a valid signature. It is the digest of the
//! component itself, not of a registry's manifest: the same signature is valid for an upload, a pull and a file.
//! Signatures are written in base64.
//!
//! A space that has keys accepts only components that one of them signed. A signature shows who vouches for a component,
//! not that it is harmless: that is the sandbox's task. It relies neither on the registry nor on the transport.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookmill_model::{Digest, PluginKey};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// Why a component does not count as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// It has no signature.
    #[error("it has no signature: expected one by one of the plugin keys")]
    Missing,
    /// The text is not a signature.
    #[error("its signature is malformed: expected the 64 bytes of an Ed25519 signature in base64")]
    Malformed,
    /// The signature is by another key, or for another component.
    #[error("its signature is by none of the plugin keys, or for another component")]
    Wrong,
}

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file cannot be read.
    #[error("the private key {} cannot be read", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not contain such a key.
    #[error("{} does not contain an Ed25519 private key: `openssl genpkey -algorithm ed25519` generates one", .0.display())]
    Format(PathBuf),
}

/// A private key.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads a private key: PEM as openssl writes it (PKCS#8), or `whsk_…` as Standard Webhooks does.
    ///
    /// # Errors
    /// If the file cannot be read or does not contain such a key.
    pub fn read(file: &Path) -> Result<Self, SigningKeyError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| SigningKeyError::File { file: file.to_owned(), source })?;
        Self::parse(text.trim()).ok_or_else(|| SigningKeyError::Format(file.to_owned()))
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(base64) = text.strip_prefix("whsk_") {
            let bytes = STANDARD.decode(base64).ok().filter(|bytes| matches!(bytes.len(), 32 | 64))?;
            return Ed25519KeyPair::from_seed_unchecked(bytes.get(..32)?).ok().map(Self);
        }
        let base64 = text.strip_prefix("-----BEGIN PRIVATE KEY-----")?.strip_suffix("-----END PRIVATE KEY-----")?;
        let der = STANDARD.decode(base64.split_whitespace().collect::<String>()).ok()?;
        // Unchecked: openssl leaves the public half out, so there is nothing to check against.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok().map(Self)
    }

    /// The public half, which goes into a space's `plugin_keys`.
    pub fn public_key(&self) -> PluginKey {
        let bytes = self.0.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes");
        PluginKey::from_bytes(bytes)
    }

    /// The signature of the component with this digest.
    pub fn sign(&self, digest: Digest) -> String {
        STANDARD.encode(self.0.sign(digest.to_string().as_bytes()))
    }
}

/// Hides the private key.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(of {})", self.public_key())
    }
}

/// Checks that one of `keys` signed the component with this digest. Without keys, every component passes.
///
/// # Errors
/// If there are keys and the signature is missing, or is by none of them.
pub fn check(keys: &[PluginKey], digest: Digest, signature: Option<&str>) -> Result<(), Unsigned> {
    if keys.is_empty() {
        return Ok(());
    }
    let signature = STANDARD.decode(signature.ok_or(Unsigned::Missing)?.trim()).map_err(|_| Unsigned::Malformed)?;
    if signature.len() != 64 {
        return Err(Unsigned::Malformed);
    }
    let signed = digest.to_string();
    let by = |key: &PluginKey| UnparsedPublicKey::new(&ED25519, key.bytes()).verify(signed.as_bytes(), &signature);
    if keys.iter().any(|key| by(key).is_ok()) { Ok(()) } else { Err(Unsigned::Wrong) }
}
