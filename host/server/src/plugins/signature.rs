//! Signatures of plugins: somebody answers for a component with an Ed25519 key.
//!
//! What is signed is the text of the component's digest, `sha256:` and 64 hex digits, as every answer of the API and
//! every tool shows it: so `printf %s sha256:… | openssl pkeyutl -sign -rawin` makes a signature as good as ours. The
//! digest is the component's own, not a registry's manifest's: the same signature holds for an upload, a pull and a
//! file. Signatures are written in base64.
//!
//! A space that has keys takes only what one of them signed. This says who answers for a component, not that it is
//! harmless: that is the sandbox's part. It does not rely on the registry, nor on the transport.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use hookmill_model::{Digest, PluginKey};

/// Why a component is not taken for signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// There is none.
    #[error("it carries no signature, and must be signed by one of the plugin keys")]
    Missing,
    /// It is no signature.
    #[error("its signature is not the 64 bytes of an Ed25519 signature in base64")]
    Malformed,
    /// It is not by any of the keys, or for another component.
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
    /// It holds something else.
    #[error("{} holds no Ed25519 private key: `openssl genpkey -algorithm ed25519` makes one", .0.display())]
    Format(PathBuf),
}

/// A private key.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads a private key: PEM as openssl writes it (PKCS#8), or `whsk_…` as Standard Webhooks does.
    ///
    /// # Errors
    /// If the file cannot be read or holds no such key.
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
        // Unchecked: openssl leaves the public half out, and nothing could be checked against it.
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

/// Shows nothing of the key.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(of {})", self.public_key())
    }
}

/// Checks that one of `keys` signed the component with this digest. Without keys, anything goes.
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
