//! API keys: their text format, and the first admin key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookmill_model::{Key, KeyId, Role, SpaceId};
use hookmill_store::{Store, StoreError};
use jiff::Timestamp;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

/// The text of a key, as its user has it: `hmk_`, the id's ULID, `_`, and 32 random bytes in URL-safe base64.
pub struct KeyText<'a> {
    /// The public part.
    pub id: KeyId,
    /// The secret part.
    pub secret: &'a str,
}

impl<'a> KeyText<'a> {
    /// Parses the text of a key.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (ulid, secret) = text.strip_prefix("hmk_")?.split_once('_')?;
        Some(Self { id: format!("key_{ulid}").parse().ok()?, secret })
    }
}

/// Generates a key. Returns it with its text, which the host does not keep.
pub fn generate(name: String, role: Role, space: Option<SpaceId>, now: Timestamp) -> (Key, String) {
    let id = KeyId::new(now);
    let mut secret = [0; 32];
    rand::rng().fill_bytes(&mut secret);
    let secret = URL_SAFE_NO_PAD.encode(secret);
    let text = format!("hmk_{}_{secret}", id.to_string().trim_start_matches("key_"));
    let secret_sha256 = Sha256::digest(secret).into();
    (Key { id, name, role, space, secret_sha256, requests_per_s: None, created_at: now }, text)
}

/// Creates an admin key if there is no key, and returns its text, which is not available later.
///
/// # Errors
/// If the store fails.
pub async fn first_admin_key(store: &dyn Store, now: Timestamp) -> Result<Option<String>, StoreError> {
    if !store.keys().await?.is_empty() {
        return Ok(None);
    }
    let (key, text) = generate("first start".to_owned(), Role::Admin, None, now);
    store.create_key(key).await?;
    Ok(Some(text))
}
