//! Ids that the host generates: a prefix for the kind, and a ULID.
//!
//! They sort by creation time and contain no dot, which Standard Webhooks uses as the separator in the signed content
//! (`id.timestamp.body`).
//!
//! The id of a row that the store numbers contains the row's key, so that no index over ids is needed: after the ULID's 48
//! bits of milliseconds come the 47 bits of the key, and 33 bits of a checksum over both, which tells such an id from one
//! with 80 random bits.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

/// A text that is not an id of the expected kind. The message does not repeat it: it may be an API key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {kind} id: expected an id such as {prefix}01K9ZQ4S1N8M0V6T3X5B7C2D4E")]
pub struct IdError {
    kind: &'static str,
    prefix: &'static str,
}

/// Bits of a ULID that hold the checksum; the key is above them.
const CHECK_BITS: u32 = 33;

/// The greatest key that an id can contain: at 100,000 a second, the keys last for 44 years.
pub(crate) const KEY_MAX: i64 = (1 << 47) - 1;

/// Returns the ULID with this time and key.
pub(crate) fn ulid_with_key(at: Timestamp, key: i64) -> Ulid {
    let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
    let key = u64::try_from(key.clamp(0, KEY_MAX)).unwrap_or(0);
    Ulid::from_parts(ms, (u128::from(key) << CHECK_BITS) | u128::from(check(ms, key)))
}

/// Returns the key in a ULID, if it contains one.
pub(crate) fn key_in(ulid: Ulid) -> Option<i64> {
    let key = u64::try_from(ulid.random() >> CHECK_BITS).ok()?;
    let found = ulid.random() & ((1 << CHECK_BITS) - 1);
    (found == u128::from(check(ulid.timestamp_ms(), key))).then_some(i64::try_from(key).ok()?)
}

/// The checksum: the finalizer of SplitMix64, whose every output bit depends on every input bit.
fn check(ms: u64, key: u64) -> u64 {
    let mut mixed = ms.rotate_left(32) ^ key;
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(factor);
    }
    (mixed ^ (mixed >> 31)) >> (64 - CHECK_BITS)
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

            /// Returns the id of the row with this key, which was created at `at`.
            pub fn with_key(at: Timestamp, key: i64) -> Self {
                Self(ulid_with_key(at, key))
            }

            /// Returns the key of the row, if the id contains one.
            pub fn key(self) -> Option<i64> {
                key_in(self.0)
            }

            /// Returns the bytes of the ULID.
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }

            /// Returns the id with this ULID.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Ulid::from_bytes(bytes))
            }

            /// Returns when the id was generated, to the millisecond.
            pub fn created_at(self) -> Timestamp {
                let ms = i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX);
                Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
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
                    .ok_or_else(|| IdError { kind: $kind, prefix: $prefix })
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
    /// An erasure's id, `ers_…`.
    ErasureId, "ers_", "erasure"
);
id!(
    /// A replay's id, `rpl_…`.
    ReplayId, "rpl_", "replay"
);
id!(
    /// An API key's id, `key_…`: the public part of the key.
    KeyId, "key_", "key"
);
