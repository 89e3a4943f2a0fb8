//! What a subscription may ask for beside where, what and how: when it is triggered, how its events are gathered, how
//! an answer is read, what is appended to its URL.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EventType, Pattern, Template};

/// What must have changed for an event to trigger a subscription: any of the fields, or the status.
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
    /// Which field holds the status.
    #[serde(default = "status")]
    pub field: String,
    /// What it was; anything, if there is none.
    #[serde(default)]
    pub from: Option<Value>,
    /// What it is now; anything, if there is none.
    #[serde(default)]
    pub to: Option<Value>,
}

fn status() -> String {
    "status".to_owned()
}

/// How events of one type are gathered into one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Seconds from the first event to the end of the batch: 1 to 3,600.
    #[serde(default = "a_minute")]
    pub window_s: u32,
    /// How many events end it before: 2 to 1,000.
    #[serde(default = "a_thousand")]
    pub max: u32,
    /// Which types are gathered; the others go alone.
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
    /// Whether events of this type are gathered.
    pub fn gathers(&self, kind: &EventType) -> bool {
        self.event_types.iter().any(|pattern| pattern.matches(kind))
    }
}

/// An answer that tells of a failure in its body, whatever its status: `{"Status": "Error", "StatusReason": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRule {
    /// JSON pointer (RFC 6901) to the member that tells.
    pub pointer: String,
    /// Its value when it tells of a failure.
    pub failure: Value,
    /// JSON pointer to the reason, if the answer has one.
    #[serde(default)]
    pub reason_pointer: Option<String>,
}

impl AnswerRule {
    /// What the answer tells of a failure; none if it tells of none, or is no JSON.
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
    /// Its value: text with the slots of [`SLOTS`](Self::SLOTS).
    pub value: Template,
}

impl QueryParameter {
    /// What a value may stand for. Of several events, the first one's.
    pub const SLOTS: [&str; 5] = ["event.id", "event.type", "subscription.id", "delivery.id", "space"];
}
