//! An attempt at a delivery, with its result. Written once, never changed.

use std::str::FromStr;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::{DeliveryId, Digest, Invalid, Sealed};

/// The level of a plugin's log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Unexpected, but handled.
    Warn,
    /// An error.
    Error,
}

/// A line of a plugin's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The level.
    pub level: LogLevel,
    /// The text.
    pub message: String,
}

/// The kind of a plugin's fault, which is never the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginFaultCode {
    /// Used all of its fuel: an endless loop, or too much work.
    OutOfFuel,
    /// Exceeded the wall-clock limit.
    TimedOut,
    /// Exceeded the memory limit.
    OutOfMemory,
    /// Recursed too deeply.
    StackOverflow,
    /// Any other trap: a panic, an out-of-bounds access.
    Trapped,
    /// The body, the headers or the query of the result exceed their limit.
    OutputTooLarge,
    /// The result violates the contract: invalid JSON or UTF-8, an unknown method.
    InvalidOutput,
    /// A header that a plugin must not set, or an invalid header value.
    ForbiddenHeader,
    /// The plugin reported a failure.
    Failed,
}

/// A plugin's fault in one transform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFault {
    /// The kind.
    pub code: PluginFaultCode,
    /// A message for the subscription's owner.
    pub message: String,
    /// Whether a later attempt may succeed.
    pub retry: bool,
}

/// The resources that a transform used, and their limits. All zero except the time if no plugin ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// The fuel that the plugin used: the same on every machine.
    pub fuel_used: u64,
    /// The fuel limit, which depends on the size of the input.
    pub fuel_max: u64,
    /// The peak size of the instance's memories together, in bytes.
    pub memory_bytes: u64,
    /// The limit on that size.
    pub memory_bytes_max: u64,
    /// The duration of the whole transform, in microseconds.
    pub transform_us: u64,
}

/// The kind of a failure to send, which is the receiver's or the network's, never the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendFaultCode {
    /// The address policy forbids every address of the host.
    AddressRefused,
    /// The host name did not resolve.
    Dns,
    /// The connection failed.
    Connect,
    /// The TLS handshake failed: certificate, name or protocol.
    Tls,
    /// No complete response within the subscription's timeout.
    Timeout,
    /// The connection broke, or the response is not HTTP.
    Protocol,
    /// The connection broke after the status and headers of the response, within its body.
    AnswerBroken,
}

/// A failure to get a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendFault {
    /// The kind.
    pub code: SendFaultCode,
    /// A message.
    pub message: String,
}

/// The kind of the fault of a plugin or of sending. The two have no names in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FaultCode {
    /// The plugin's.
    Plugin(PluginFaultCode),
    /// Of sending.
    Send(SendFaultCode),
}

impl FaultCode {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Plugin(PluginFaultCode::OutOfFuel),
        Self::Plugin(PluginFaultCode::TimedOut),
        Self::Plugin(PluginFaultCode::OutOfMemory),
        Self::Plugin(PluginFaultCode::StackOverflow),
        Self::Plugin(PluginFaultCode::Trapped),
        Self::Plugin(PluginFaultCode::OutputTooLarge),
        Self::Plugin(PluginFaultCode::InvalidOutput),
        Self::Plugin(PluginFaultCode::ForbiddenHeader),
        Self::Plugin(PluginFaultCode::Failed),
        Self::Send(SendFaultCode::AddressRefused),
        Self::Send(SendFaultCode::Dns),
        Self::Send(SendFaultCode::Connect),
        Self::Send(SendFaultCode::Tls),
        Self::Send(SendFaultCode::Timeout),
        Self::Send(SendFaultCode::Protocol),
        Self::Send(SendFaultCode::AnswerBroken),
    ];

    /// Returns its name in the store and the API.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => unreachable!("plain enums serialize as their names"),
        }
    }
}

impl FromStr for FaultCode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|code| code.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(|code| format!("`{}`", code.name())).join(", ");
            Invalid::new(format!("expected one of {names}"))
        })
    }
}

impl<'de> Deserialize<'de> for FaultCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A receiver's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers in order, truncated to 16 KiB in total; invalid UTF-8 is replaced.
    pub headers: Vec<(String, String)>,
    /// The body's first 16 KiB.
    pub body: Bytes,
    /// Whether the body was longer than what is kept.
    pub truncated: bool,
}

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver responded with one of the subscription's success codes.
    Succeeded(Answer),
    /// The receiver responded with anything else.
    Rejected(Answer),
    /// There was no response.
    Unreachable(SendFault),
    /// The plugin decided to send nothing, for this reason.
    Skipped(String),
    /// The plugin failed.
    PluginFailed(PluginFault),
}

impl Outcome {
    /// The outcome's name in the store and the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded(_) => "succeeded",
            Self::Rejected(_) => "rejected",
            Self::Unreachable(_) => "unreachable",
            Self::Skipped(_) => "skipped",
            Self::PluginFailed(_) => "plugin_failed",
        }
    }
}

/// An attempt at a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// The number of the attempt, from 1.
    pub number: u32,
    /// When the attempt was due, which shows how late it was.
    pub due_at: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// The duration of sending, until the response was read, in microseconds.
    pub send_us: u64,
    /// The request as sent, if there was one.
    pub request: Option<SentRequest>,
    /// The result.
    pub outcome: Outcome,
    /// The digest of the plugin that shaped the request; none for the default shapes.
    pub plugin_digest: Option<Digest>,
    /// The plugin's fault, if the default shape was sent instead.
    pub plugin_fault: Option<PluginFault>,
    /// The resources that the transform used.
    pub figures: Figures,
    /// The plugin's log.
    pub logs: Vec<LogLine>,
}

impl Attempt {
    /// Returns the plugin's fault, if it failed, whether nothing was sent or the default shape.
    pub fn fault_of_plugin(&self) -> Option<&PluginFault> {
        match &self.outcome {
            Outcome::PluginFailed(fault) => Some(self.plugin_fault.as_ref().unwrap_or(fault)),
            Outcome::Succeeded(_) | Outcome::Rejected(_) | Outcome::Unreachable(_) | Outcome::Skipped(_) => {
                self.plugin_fault.as_ref()
            }
        }
    }
}

/// A request as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRequest {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The headers, with the values of secret ones replaced by `***`.
    pub headers: Vec<(String, String)>,
    /// The number of signature headers, which are the last of the headers.
    pub signature_headers: u32,
    /// The exact bytes, except that placeholders replace sealed secrets.
    pub body: Bytes,
    /// The placeholders of sealed secrets in the headers and the body.
    pub sealed: Vec<Sealed>,
}
