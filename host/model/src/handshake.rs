//! The handshake of an activation: what an endpoint has to answer before it gets real events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SuccessCodes;

/// What is asked of the endpoint on every activation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// Which request.
    pub kind: HandshakeKind,
    /// Which statuses let it pass.
    #[serde(default = "any_2xx")]
    pub success_codes: SuccessCodes,
    /// Milliseconds until the whole answer must have come: 1,000 to 60,000.
    #[serde(default = "ten_seconds")]
    pub timeout_ms: u32,
}

fn any_2xx() -> SuccessCodes {
    SuccessCodes::Any2xx
}

fn ten_seconds() -> u32 {
    10_000
}

/// The request of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandshakeKind {
    /// A POST with an empty body, signed like any other (Livespace).
    EmptyPost,
    /// A test event, through the plugin and signed: what real events will look like.
    TestEvent,
    /// A HEAD without a body (LeadSquared).
    Head,
    /// OPTIONS with `WebHook-Request-Origin`, which the endpoint must allow (CloudEvents, "HTTP 1.1 Web Hooks", 4).
    #[serde(rename = "cloudevents")]
    CloudEvents,
}

/// What came of the last handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandshakeReport {
    /// When it was made.
    pub at: Timestamp,
    /// Whether the endpoint passed.
    pub passed: bool,
    /// What happened, in words.
    pub reason: String,
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The first bytes of the answer's body, as text.
    pub answer: String,
}
