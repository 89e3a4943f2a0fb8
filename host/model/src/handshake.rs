//! The handshake of an activation: a request that an endpoint must pass before it gets real events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SuccessCodes;

/// The handshake that the endpoint must pass on every activation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// The request.
    pub kind: HandshakeKind,
    /// The response statuses that pass.
    #[serde(default = "any_2xx")]
    pub success_codes: SuccessCodes,
    /// The timeout for the complete response, in milliseconds: 1,000 to 60,000.
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
    /// A test event, transformed and signed like a real one.
    TestEvent,
    /// A HEAD without a body (LeadSquared).
    Head,
    /// OPTIONS with `WebHook-Request-Origin`, which the endpoint must allow (CloudEvents, "HTTP 1.1 Web Hooks", 4).
    #[serde(rename = "cloudevents")]
    CloudEvents,
}

/// The result of a handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandshakeReport {
    /// When it was made.
    pub at: Timestamp,
    /// Whether the endpoint passed.
    pub passed: bool,
    /// A message.
    pub reason: String,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// Its duration, in milliseconds.
    pub took_ms: u64,
    /// The first bytes of the response's body, as text.
    pub answer: String,
}
