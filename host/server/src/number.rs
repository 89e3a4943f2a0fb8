//! Whole numbers within bounds.

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Number;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Whole<const MIN: u32, const MAX: u32>(pub u32);

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As any number first: read as a whole one, a fraction would be an error of the JSON text.
        let number = Number::deserialize(deserializer)?;
        let within =
            number.as_u64().and_then(|value| u32::try_from(value).ok()).filter(|value| (MIN..=MAX).contains(value));
        within.map(Self).ok_or_else(|| {
            Error::custom(format!("invalid value {number}: expected a whole number from {MIN} to {MAX}"))
        })
    }
}

/// The greatest whole number that every JSON parser reads exactly.
const BYTES_MAX: u64 = (1 << 53) - 1;

/// A number of bytes, at least 1.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bytes(pub u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        let within = number.as_u64().filter(|value| (1..=BYTES_MAX).contains(value));
        within.map(Self).ok_or_else(|| {
            Error::custom(format!("invalid value {number}: expected a whole number from 1 to {BYTES_MAX}"))
        })
    }
}
