//! Filters of listings. All that is given has to match.

use std::str::FromStr;

use hookmill_model::{DeliveryId, DeliveryState, EventId, FaultCode, Invalid, Pattern, SubscriptionId};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::IndexedValue;

/// A filter of deliveries for a listing, newest first.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this subscription.
    pub subscription: Option<SubscriptionId>,
    /// Of this event.
    pub event: Option<EventId>,
    /// Of events of these types.
    pub event_type: Option<Pattern>,
    /// Of events accepted at or after this time.
    pub since: Option<Timestamp>,
    /// Of events accepted before this time.
    pub until: Option<Timestamp>,
    /// Whose last attempt got a response with one of these statuses.
    pub status: Option<StatusFilter>,
    /// Whose last attempt failed with this fault.
    pub fault: Option<FaultCode>,
    /// Whose reason contains this text, in upper or lower case.
    pub reason: Option<String>,
    /// With an event that has this value at a path that the space indexes.
    pub value: Option<IndexedValue>,
    /// Older than this one (the last of the previous page).
    pub before: Option<DeliveryId>,
}

/// A filter of events for a listing, newest first.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// With this value at a path that the space indexes.
    pub value: Option<IndexedValue>,
    /// Older than this one (the last of the previous page).
    pub before: Option<EventId>,
}

/// An HTTP status, or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    /// This status, from 100 to 999.
    One(u16),
    /// All statuses that begin with this digit, from 1 to 9.
    Class(u8),
}

impl StatusFilter {
    /// Whether it includes a status.
    pub fn includes(self, status: u16) -> bool {
        match self {
            Self::One(one) => status == one,
            Self::Class(digit) => status / 100 == u16::from(digit),
        }
    }

    /// Whether a response with one of these statuses may be a success.
    pub(crate) fn may_succeed(self) -> bool {
        match self {
            Self::One(one) => one / 100 == 2,
            Self::Class(digit) => digit == 2,
        }
    }
}

impl FromStr for StatusFilter {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = match text.as_bytes() {
            [digit @ b'1'..=b'9', b'x', b'x'] => Some(Self::Class(digit - b'0')),
            [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => text.parse().ok().map(Self::One),
            _ => None,
        };
        found.ok_or_else(|| Invalid::new("expected an HTTP status such as `503`, or a class such as `5xx`"))
    }
}

impl<'de> Deserialize<'de> for StatusFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
