//! API keys: who may do what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{KeyId, SpaceId};

/// What a key allows. `Admin` is for the whole host, the others for one space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read subscriptions, events, deliveries.
    Read,
    /// Post events.
    Produce,
    /// All in its space: subscriptions, plugins, event types, and what `Read` and `Produce` may.
    Manage,
    /// All in all spaces, and spaces and keys themselves.
    Admin,
}

/// An API key as it is kept: the secret itself is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The public part.
    pub id: KeyId,
    /// For people: what uses it. At most 200 characters.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// The space that it is for; none for an admin's.
    pub space: Option<SpaceId>,
    /// SHA-256 of the key's secret part. The secret is 32 random bytes, so a slow hash would add nothing.
    pub secret_sha256: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
}
