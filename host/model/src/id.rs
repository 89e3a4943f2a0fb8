//! Ids that the host generates: a prefix for the kind, and a ULID.
//!
//! They sort by creation time and contain no dot, which Standard Webhooks uses as the separator in the signed content
//! (`id.timestamp.body`).

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {kind} id `{text}`: expected an id such as {prefix}01K9ZQ4S1N8M0V6T3X5B7C2D4E")]
pub struct IdError {
    text: String,
    kind: &'static str,
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// Generates an id at `now`; ids sort by creation time, to the millisecond.
            pub fn new(now: Timestamp) -> Self {
                let ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
                Self(Ulid::from_parts(ms, rand::random()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0; ulid::ULID_LEN];
                f.write_str($prefix)?;
                f.write_str(self.0.array_to_str(&mut buffer))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .and_then(|ulid| Ulid::from_string(ulid).ok())
                    .map(Self)
                    // One spelling per id: Crockford's alphabet also accepts lower case, and O for 0.
                    .filter(|id| id.to_string() == text)
                    .ok_or_else(|| IdError { text: text.chars().take(64).collect(), kind: $kind, prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A subscription's id, `sub_…`.
    SubscriptionId, "sub_", "subscription"
);
id!(
    /// A delivery's id, `dlv_…`: the `webhook-id` that the receiver sees, the same on every attempt.
    DeliveryId, "dlv_", "delivery"
);
id!(
    /// An API key's id, `key_…`: the public part of the key.
    KeyId, "key_", "key"
);
