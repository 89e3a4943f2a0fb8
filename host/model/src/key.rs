//! API keys and their roles.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{KeyId, SpaceId};

/// The permissions of a key. `Admin` applies to the whole host, the others to one space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read subscriptions, events, deliveries.
    Read,
    /// Post events.
    Produce,
    /// Everything in its space: subscriptions, plugins, event types, and what `Read` and `Produce` allow.
    Manage,
    /// Everything in all spaces, and the spaces and keys themselves.
    Admin,
}

/// An API key as it is stored, without the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The public part.
    pub id: KeyId,
    /// A display name: what uses the key. At most 200 characters.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its space; none for an admin's key.
    pub space: Option<SpaceId>,
    /// SHA-256 of the key's secret part. The secret is 32 random bytes, so a slow hash would add nothing.
    pub secret_sha256: [u8; 32],
    /// Requests per second that it may make; none for no limit.
    pub requests_per_s: Option<u32>,
    /// When it was created.
    pub created_at: Timestamp,
}
