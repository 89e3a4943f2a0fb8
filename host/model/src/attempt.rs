//! An attempt: one try at one delivery, and what came of it. Written once, never changed.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, Digest, Sealed};

/// How much a plugin's log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Odd, but dealt with.
    Warn,
    /// Wrong.
    Error,
}

/// A line that a plugin wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// The text.
    pub message: String,
}

/// How a plugin failed. The plugin's fault or its author's, never the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginFaultCode {
    /// Used more fuel than it has: an endless loop, or too much work.
    OutOfFuel,
    /// Took longer than the wall clock allows.
    TimedOut,
    /// Asked for more memory than it may have.
    OutOfMemory,
    /// Called itself too deep.
    StackOverflow,
    /// Any other trap: a panic, an out-of-bounds access.
    Trapped,
    /// The result is larger than a body, the headers or the query may be.
    OutputTooLarge,
    /// The result is not what the contract asks for: no JSON, no UTF-8, an unknown method.
    InvalidOutput,
    /// A header that a plugin must not set, or a value that no header can have.
    ForbiddenHeader,
    /// The plugin said itself that it failed.
    Failed,
}

/// A plugin's failure in one transform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFault {
    /// Which kind.
    pub code: PluginFaultCode,
    /// What happened, in words for the subscription's owner.
    pub message: String,
    /// Whether a later attempt may do better.
    pub retry: bool,
}

/// What a transform used, against what it might. All zero but for the time where no plugin ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// The fuel that the plugin used: the same on every machine.
    pub fuel_used: u64,
    /// The fuel that it had, which follows from its input's size.
    pub fuel_max: u64,
    /// The most that the instance's memories took together, in bytes.
    pub memory_bytes: u64,
    /// What they might take.
    pub memory_bytes_max: u64,
    /// How long the whole transform took, in microseconds.
    pub transform_us: u64,
}

/// How sending failed. The receiver's fault or the network's, never the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendFaultCode {
    /// The address policy forbids every address of the host.
    AddressRefused,
    /// The host's name did not resolve.
    Dns,
    /// No connection.
    Connect,
    /// No agreement on TLS: certificate, name or protocol.
    Tls,
    /// No whole answer within the subscription's timeout.
    Timeout,
    /// The connection broke, or what came is no HTTP.
    Protocol,
    /// The answer's status and headers came, its body broke off.
    AnswerBroken,
}

/// A failure to get an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendFault {
    /// Which kind.
    pub code: SendFaultCode,
    /// What happened, in words.
    pub message: String,
}

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers in order, cut to 16 KiB in all; bytes that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body's first 16 KiB.
    pub body: Bytes,
    /// Whether there was more of the body than is kept.
    pub truncated: bool,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered with one of the subscription's success codes.
    Succeeded(Answer),
    /// The receiver answered with anything else.
    Rejected(Answer),
    /// There was no answer.
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

/// One try, append-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whose.
    pub delivery_id: DeliveryId,
    /// 1 for the first.
    pub number: u32,
    /// When the attempt was due, to tell how late it was.
    pub due_at: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// How long sending took, until the answer was read.
    pub send_us: u64,
    /// The request as sent, if it came that far.
    pub request: Option<SentRequest>,
    /// What came of it.
    pub outcome: Outcome,
    /// The plugin that shaped it; none for the default shapes.
    pub plugin_digest: Option<Digest>,
    /// How that plugin failed, if the default shape went out instead.
    pub plugin_fault: Option<PluginFault>,
    /// What the transform used.
    pub figures: Figures,
    /// What the plugin logged.
    pub logs: Vec<LogLine>,
}

impl Attempt {
    /// How the plugin failed, if it did: whether nothing went out for that or the default shape.
    pub fn fault_of_plugin(&self) -> Option<&PluginFault> {
        match &self.outcome {
            Outcome::PluginFailed(fault) => Some(self.plugin_fault.as_ref().unwrap_or(fault)),
            Outcome::Succeeded(_) | Outcome::Rejected(_) | Outcome::Unreachable(_) | Outcome::Skipped(_) => {
                self.plugin_fault.as_ref()
            }
        }
    }
}

/// A request as it went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRequest {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The headers, values of secret ones replaced by `***`.
    pub headers: Vec<(String, String)>,
    /// How many of the headers, the last of them, are the signature's.
    pub signature_headers: u32,
    /// The exact bytes, placeholders in the place of sealed secrets.
    pub body: Bytes,
    /// What stood in the place of which secret, in the headers and the body.
    pub sealed: Vec<Sealed>,
}
