//! Views of attempts, which are part of a delivery.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hookmill_model::{
    Answer, Attempt, Digest, FaultCode, Figures, LogLevel, LogLine, Outcome, PluginFault, PluginFaultCode, Sealed,
    SentRequest,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::names::{FaultCodeName, MethodName, PluginFaultCodeName};
use hookmill_server::stages::seal::{MASK, masked};

/// An attempt at a delivery, and its result.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(super) struct AttemptView {
    /// Number of the attempt, from 1.
    number: u32,
    /// Time at which the attempt was due.
    due_at: Timestamp,
    /// Time at which the attempt started.
    started_at: Timestamp,
    /// Delay from `due_at` to `started_at`, in microseconds.
    late_us: u64,
    /// Duration of the transform, in microseconds; the same as `figures.transform_us`.
    transform_us: u64,
    /// Duration from sending the request until the response was read, in microseconds.
    send_us: u64,
    /// Outcome of the attempt.
    outcome: OutcomeName,
    /// Reason why the attempt did not succeed: the message of the fault, or the plugin's reason for sending nothing.
    #[schema(required)]
    reason: Option<String>,
    /// Kind of the fault, if the plugin failed or there was no response.
    #[schema(value_type = Option<FaultCodeName>, required)]
    fault: Option<FaultCode>,
    /// The request as sent; null if none was sent.
    #[schema(required)]
    request: Option<RequestView>,
    /// The receiver's response; null if there was none.
    #[schema(required)]
    answer: Option<AnswerView>,
    /// Digest of the plugin that transformed the events; null for a default shape.
    #[schema(value_type = Option<String>, required)]
    plugin_digest: Option<Digest>,
    /// Fault of the plugin, if the default shape was sent instead; otherwise null.
    #[schema(required)]
    plugin_fault: Option<PluginFaultView>,
    /// Fuel used by the plugin; the same as `figures.fuel_used`.
    fuel_used: u64,
    /// Resource usage of the transform, with its limits.
    figures: FiguresView,
    /// Log lines of the plugin.
    logs: Vec<LogView>,
}

/// Outcome of an attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = Outcome)]
#[serde(rename_all = "snake_case")]
enum OutcomeName {
    /// The receiver accepted the request, according to the subscription's success codes and answer rule.
    Succeeded,
    /// The receiver's response was not a success.
    Rejected,
    /// There was no response.
    Unreachable,
    /// The plugin decided to send nothing.
    Skipped,
    /// The plugin failed.
    PluginFailed,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let late = attempt.started_at.duration_since(attempt.due_at).as_micros();
        let outcome = OutcomeView::from(attempt.outcome);
        Self {
            number: attempt.number,
            due_at: attempt.due_at,
            started_at: attempt.started_at,
            late_us: u64::try_from(late).unwrap_or(0),
            transform_us: attempt.figures.transform_us,
            send_us: attempt.send_us,
            outcome: outcome.name,
            reason: outcome.reason,
            fault: outcome.fault,
            request: attempt.request.map(RequestView::from),
            answer: outcome.answer,
            plugin_digest: attempt.plugin_digest,
            plugin_fault: attempt.plugin_fault.map(PluginFaultView::from),
            fuel_used: attempt.figures.fuel_used,
            figures: attempt.figures.into(),
            logs: attempt.logs.into_iter().map(LogView::from).collect(),
        }
    }
}

/// Fault of a plugin.
#[derive(Serialize, ToSchema)]
#[schema(as = PluginFault)]
pub(super) struct PluginFaultView {
    /// Kind of the fault.
    #[schema(value_type = PluginFaultCodeName)]
    code: PluginFaultCode,
    /// Message of the fault.
    message: String,
    /// True if a later attempt may succeed.
    retry: bool,
}

impl From<PluginFault> for PluginFaultView {
    fn from(PluginFault { code, message, retry }: PluginFault) -> Self {
        Self { code, message, retry }
    }
}

/// Resource usage of a transform, with its limits. All members except `transform_us` are 0 if no plugin ran.
#[derive(Serialize, ToSchema)]
#[schema(as = Figures)]
pub(super) struct FiguresView {
    /// Fuel used by the plugin. The same on every machine and in every attempt.
    fuel_used: u64,
    /// Fuel limit, which depends on the size of the events and the configuration.
    fuel_max: u64,
    /// Peak size of its memories together, in bytes.
    memory_bytes: u64,
    /// Limit on `memory_bytes`.
    memory_bytes_max: u64,
    /// Duration of the whole transform, in microseconds.
    transform_us: u64,
}

impl From<Figures> for FiguresView {
    fn from(figures: Figures) -> Self {
        let Figures { fuel_used, fuel_max, memory_bytes, memory_bytes_max, transform_us } = figures;
        Self { fuel_used, fuel_max, memory_bytes, memory_bytes_max, transform_us }
    }
}

/// An outcome, split into the members of an attempt.
struct OutcomeView {
    name: OutcomeName,
    reason: Option<String>,
    fault: Option<FaultCode>,
    answer: Option<AnswerView>,
}

impl From<Outcome> for OutcomeView {
    fn from(outcome: Outcome) -> Self {
        let none = |name| Self { name, reason: None, fault: None, answer: None };
        match outcome {
            Outcome::Succeeded(answer) => Self { answer: Some(answer.into()), ..none(OutcomeName::Succeeded) },
            Outcome::Rejected(answer) => Self {
                reason: Some(rejection(answer.status)),
                answer: Some(answer.into()),
                ..none(OutcomeName::Rejected)
            },
            Outcome::Unreachable(fault) => Self {
                fault: Some(FaultCode::Send(fault.code)),
                reason: Some(fault.message),
                ..none(OutcomeName::Unreachable)
            },
            Outcome::Skipped(reason) => Self { reason: Some(reason), ..none(OutcomeName::Skipped) },
            Outcome::PluginFailed(fault) => Self {
                fault: Some(FaultCode::Plugin(fault.code)),
                reason: Some(fault.message),
                ..none(OutcomeName::PluginFailed)
            },
        }
    }
}

/// Returns the reason why a response was not a success, according to the subscription at the time of the attempt.
fn rejection(status: u16) -> String {
    match status {
        200..300 => format!("the receiver answered {status}, which the subscription does not count as success"),
        _ => format!("the receiver answered {status}"),
    }
}

/// An HTTP header.
#[derive(Serialize, ToSchema)]
#[schema(as = Header)]
pub(super) struct HeaderView {
    /// Name of the header.
    name: String,
    /// Value of the header; `***` for a secret.
    value: String,
}

pub(super) fn headers(headers: Vec<(String, String)>) -> Vec<HeaderView> {
    headers.into_iter().map(|(name, value)| HeaderView { name, value }).collect()
}

/// Encoding of a body's bytes in JSON.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BodyEncoding {
    /// Unchanged, since the bytes are valid UTF-8.
    Text,
    /// Base64, since the bytes are not valid UTF-8.
    Base64,
}

fn body(bytes: &Bytes) -> (String, BodyEncoding) {
    match str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), BodyEncoding::Text),
        Err(_) => (STANDARD.encode(bytes), BodyEncoding::Base64),
    }
}

/// A request as sent.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookRequest)]
pub(super) struct RequestView {
    /// HTTP method.
    #[schema(value_type = MethodName)]
    method: String,
    /// Full URL.
    url: String,
    /// Headers.
    headers: Vec<HeaderView>,
    /// Body, byte for byte except for masked secrets.
    body: String,
    /// Encoding of `body`.
    body_encoding: BodyEncoding,
}

impl From<SentRequest> for RequestView {
    fn from(request: SentRequest) -> Self {
        let SentRequest { method, url, headers: mut sent, body: bytes, sealed, signature_headers: _ } = request;
        let (body, body_encoding) = body(&masked(&bytes, &sealed));
        for Sealed { placeholder, .. } in &sealed {
            sent.iter_mut().for_each(|(_, value)| *value = value.replace(placeholder, MASK));
        }
        Self { method, url, headers: headers(sent), body, body_encoding }
    }
}

/// Response of a receiver.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiverResponse)]
struct AnswerView {
    /// HTTP status.
    status: u16,
    /// Headers, as far as they are stored.
    headers: Vec<HeaderView>,
    /// Body, as far as it is stored.
    body: String,
    /// Encoding of `body`.
    body_encoding: BodyEncoding,
    /// True if only the start of the body was stored.
    truncated: bool,
}

impl From<Answer> for AnswerView {
    fn from(answer: Answer) -> Self {
        let (body, body_encoding) = body(&answer.body);
        let Answer { status, headers: came, body: _, truncated } = answer;
        Self { status, headers: headers(came), body, body_encoding, truncated }
    }
}

/// A line of a plugin's log.
#[derive(Serialize, ToSchema)]
#[schema(as = LogLine)]
pub(super) struct LogView {
    /// Level of the line.
    #[schema(value_type = LogLevelName)]
    level: LogLevel,
    /// Text of the line.
    message: String,
}

impl From<LogLine> for LogView {
    fn from(LogLine { level, message }: LogLine) -> Self {
        Self { level, message }
    }
}

/// Level of a log line.
#[derive(ToSchema)]
#[schema(as = LogLevel, rename_all = "snake_case")]
#[expect(dead_code, reason = "used in the API description alone, in place of the model's level")]
enum LogLevelName {
    /// Details for the plugin's author.
    Debug,
    /// Normal operation.
    Info,
    /// An unexpected condition that was handled.
    Warn,
    /// A failure.
    Error,
}
