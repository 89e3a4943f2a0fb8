//! A space: one tenant's events, subscriptions and plugins.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Invalid;

/// A space's id, chosen by whoever creates it and used in every path: 1 to 63 of `a-z 0-9 -`, starting with a letter
/// or digit (a DNS label, so that it can become a host name).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceId(String);

impl SpaceId {
    /// Parses a space's id.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let ok = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-');
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("a space's id is 1 to 63 characters of a-z, 0-9 and -, not starting with -"))
        }
    }
}
super::text_newtype!(SpaceId);

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Its id.
    pub id: SpaceId,
    /// For people: at most 200 characters.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
}
