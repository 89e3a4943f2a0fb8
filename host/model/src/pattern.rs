//! Patterns of event types.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{EventType, Invalid};

/// A pattern of event types: one type (`lead.create`), all types below a prefix (`lead.*`), or all types (`*`).
///
/// `lead.*` covers `lead.create` and `lead.task.create`, but not `lead` itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Every event.
    All,
    /// Every event whose type starts with these words and has at least one more.
    Below(EventType),
    /// Only this type.
    Exactly(EventType),
}

impl Pattern {
    /// Parses a pattern. A star is the only or the last word.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text == "*" {
            return Ok(Self::All);
        }
        let parsed = match text.strip_suffix(".*") {
            Some(words) => EventType::parse(words).map(Self::Below),
            None => EventType::parse(text).map(Self::Exactly),
        };
        parsed.map_err(|_| {
            Invalid::new(format!(
                "invalid pattern `{}`: expected an event type, `*`, or a type followed by `.*`",
                text.escape_debug()
            ))
        })
    }
}

impl Pattern {
    /// Whether the pattern covers this type.
    pub fn matches(&self, kind: &EventType) -> bool {
        match self {
            Self::All => true,
            Self::Below(words) => {
                kind.as_str().strip_prefix(words.as_str()).is_some_and(|below| below.starts_with('.'))
            }
            Self::Exactly(exactly) => exactly == kind,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Below(words) => write!(f, "{words}.*"),
            Self::Exactly(kind) => write!(f, "{kind}"),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
