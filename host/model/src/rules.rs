//! Optional rules of a subscription: its trigger, the batching of its events, the reading of responses, and parameters
//! that are appended to its URL.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EventType, Pattern, Template};

/// The change that an event must report to trigger a subscription: of any of the fields, or of the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Fields of the event's data, members joined by dots (`custom_fields.invoice_email`): filled in or changed.
    #[serde(default)]
    pub fields: Vec<String>,
    /// A change of status.
    #[serde(default)]
    pub status: Option<StatusChange>,
}

/// A change of a field from one value to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusChange {
    /// The field that holds the status.
    #[serde(default = "status")]
    pub field: String,
    /// The old value; none for any.
    #[serde(default)]
    pub from: Option<Value>,
    /// The new value; none for any.
    #[serde(default)]
    pub to: Option<Value>,
}

fn status() -> String {
    "status".to_owned()
}

/// The batching of events of one type into one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Seconds from the first event to the end of the batch: 1 to 3,600.
    #[serde(default = "a_minute")]
    pub window_s: u32,
    /// The number of events that closes it earlier: 2 to 1,000.
    #[serde(default = "a_thousand")]
    pub max: u32,
    /// The types that are batched; others are delivered alone.
    #[serde(default = "all")]
    pub event_types: Vec<Pattern>,
}

fn a_minute() -> u32 {
    60
}

fn a_thousand() -> u32 {
    1_000
}

fn all() -> Vec<Pattern> {
    vec![Pattern::All]
}

impl Batch {
    /// Whether events of this type are batched.
    pub fn includes(&self, kind: &EventType) -> bool {
        self.event_types.iter().any(|pattern| pattern.matches(kind))
    }
}

/// The attempts that are begun within a time at most. The time begins with the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The number of attempts: 1 to 100,000.
    pub count: u32,
    /// The time.
    pub per: RatePeriod,
}

/// The time of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatePeriod {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl RatePeriod {
    /// Returns its length.
    pub fn length(self) -> SignedDuration {
        SignedDuration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 60 * 60,
        })
    }
}

/// A rule for responses that report a failure in their body, whatever their status: `{"Status": "Error", "StatusReason":
/// "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRule {
    /// JSON pointer (RFC 6901) to the member that reports the failure.
    pub pointer: String,
    /// Its value in case of a failure.
    pub failure: Value,
    /// JSON pointer to the reason, if the response has one.
    #[serde(default)]
    pub reason_pointer: Option<String>,
}

impl AnswerRule {
    /// Returns the reason of the failure that a response reports; none if it reports none, or is not JSON.
    pub fn failure(&self, body: &[u8]) -> Option<String> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        if answer.pointer(&self.pointer) != Some(&self.failure) {
            return None;
        }
        let reason = self.reason_pointer.as_ref().and_then(|pointer| answer.pointer(pointer)?.as_str());
        Some(reason.unwrap_or_default().chars().take(500).collect())
    }
}

/// A parameter that is appended to the URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryParameter {
    /// Its name.
    pub name: String,
    /// Its value: a text with slots from [`SLOTS`](Self::SLOTS).
    pub value: Template,
}

impl QueryParameter {
    /// The slots that a value may contain. For a batch, those of its first event.
    pub const SLOTS: [&str; 5] = ["event.id", "event.type", "subscription.id", "delivery.id", "space"];
}
