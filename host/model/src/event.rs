//! An event: something that happened, as a producer posted it.

use std::sync::Arc;

use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::value::RawValue;

use super::{Invalid, SpaceId};

/// An event's id: the producer's own, or one that the host made (`evt_…`). Unique in its space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(String);

impl EventId {
    /// Parses a producer's id: it stands in URLs and in a header, hence the narrow alphabet.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let ok =
            (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-:~.".contains(&b));
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("an event's id is 1 to 128 characters of A-Z a-z 0-9 _ - : ~ ."))
        }
    }

    /// A new id made at `now`.
    pub fn new(now: Timestamp) -> Self {
        let ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Self(format!("evt_{}", ulid::Ulid::from_parts(ms, rand::rng().random())))
    }
}
crate::text_newtype!(EventId);

/// An event's type: words of `A-Z a-z 0-9 _ - /` joined by dots, for example `lead.status.update`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(String);

impl EventType {
    /// Parses an event's type.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-/".contains(&b));
        if text.len() <= 128 && text.split('.').all(word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(
                "an event type is words of A-Z a-z 0-9 _ - / joined by dots, at most 128 characters: deal.created",
            ))
        }
    }
}
crate::text_newtype!(EventType);

/// An event as it was accepted.
#[derive(Clone, Debug)]
pub struct Event {
    /// The space that it was posted to.
    pub space: SpaceId,
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub kind: EventType,
    /// When it happened, by the producer's word; when it was accepted, if the producer gave none.
    pub occurred_at: Timestamp,
    /// When the host accepted it.
    pub accepted_at: Timestamp,
    /// Its data: the JSON text exactly as posted.
    pub data: Arc<RawValue>,
    /// The fields that changed, by the producer's word; none if it said nothing.
    pub changed_fields: Option<Vec<String>>,
    /// The data as it was before, if the producer told.
    pub previous: Option<Arc<RawValue>>,
}
