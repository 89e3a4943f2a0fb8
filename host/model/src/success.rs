//! The response statuses that are success.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Invalid;

/// The HTTP statuses that are success: `2xx`, or a list such as `200,204`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuccessCodes {
    /// 200 to 299, as in Standard Webhooks.
    Any2xx,
    /// Only these, each 200 to 299.
    Only(Vec<u16>),
}

impl SuccessCodes {
    /// Parses `2xx` or `200,204`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("success codes are `2xx`, or codes from 200 to 299 with commas between: `200,204`");
        if text == "2xx" {
            return Ok(Self::Any2xx);
        }
        let code = |code: &str| code.trim().parse().ok().filter(|code| (200..300).contains(code));
        let codes: Option<Vec<u16>> = text.split(',').map(code).collect();
        codes.filter(|codes| codes.len() <= 100).map(Self::Only).ok_or_else(wrong)
    }

    /// Whether this status is success.
    pub fn contains(&self, status: u16) -> bool {
        match self {
            Self::Any2xx => (200..300).contains(&status),
            Self::Only(codes) => codes.contains(&status),
        }
    }
}

impl fmt::Display for SuccessCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any2xx => f.write_str("2xx"),
            Self::Only(codes) => {
                let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
                f.write_str(&codes.join(","))
            }
        }
    }
}

impl Serialize for SuccessCodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SuccessCodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
