//! Attempts as the API shows them, inside their delivery.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::names::{FaultCodeName, MethodName, PluginFaultCodeName};
use crate::stages::seal::{MASK, masked};
use hookmill_model::{
    Answer, Attempt, Digest, Figures, LogLevel, LogLine, Outcome, PluginFault, PluginFaultCode, Sealed, SendFaultCode,
    SentRequest,
};

/// One try, and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(super) struct AttemptView {
    /// 1 for the first.
    number: u32,
    /// When it was due.
    due_at: Timestamp,
    /// When it began.
    started_at: Timestamp,
    /// Microseconds from when it was due until it began.
    late_us: u64,
    /// Microseconds that the transform took: `figures.transform_us`.
    transform_us: u64,
    /// Microseconds until the answer was read.
    send_us: u64,
    /// What came of it.
    outcome: OutcomeName,
    /// Why there was no success: the fault in words, or the plugin's reason to send nothing.
    #[schema(required)]
    reason: Option<String>,
    /// Which kind of fault, if the plugin failed or there was no answer.
    #[schema(value_type = Option<FaultCodeName>, required)]
    fault: Option<FaultCode>,
    /// The request as sent; null if it did not come that far.
    #[schema(required)]
    request: Option<RequestView>,
    /// What the receiver answered; null if nothing came.
    #[schema(required)]
    answer: Option<AnswerView>,
    /// The digest of the plugin that shaped it; null for the default shapes.
    #[schema(value_type = Option<String>, required)]
    plugin_digest: Option<Digest>,
    /// How that plugin failed, if the default shape went out instead; else null.
    #[schema(required)]
    plugin_fault: Option<PluginFaultView>,
    /// The fuel that the plugin used: `figures.fuel_used`.
    fuel_used: u64,
    /// What the transform used, against what it might.
    figures: FiguresView,
    /// What the plugin logged.
    logs: Vec<LogView>,
}

/// How an attempt ended.
#[derive(Serialize, ToSchema)]
#[schema(as = Outcome)]
#[serde(rename_all = "snake_case")]
enum OutcomeName {
    /// The receiver answered with one of the subscription's success codes.
    Succeeded,
    /// The receiver answered with anything else.
    Rejected,
    /// There was no answer.
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

/// How a plugin failed.
#[derive(Serialize, ToSchema)]
#[schema(as = PluginFault)]
pub(super) struct PluginFaultView {
    /// Which kind of fault.
    #[schema(value_type = PluginFaultCodeName)]
    code: PluginFaultCode,
    /// What happened, in words.
    message: String,
    /// Whether a later attempt may do better.
    retry: bool,
}

impl From<PluginFault> for PluginFaultView {
    fn from(PluginFault { code, message, retry }: PluginFault) -> Self {
        Self { code, message, retry }
    }
}

/// What a transform used, against what it might. All 0 but for the time where no plugin ran.
#[derive(Serialize, ToSchema)]
#[schema(as = Figures)]
pub(super) struct FiguresView {
    /// The fuel that the plugin used: the same on every machine and at every attempt.
    fuel_used: u64,
    /// The fuel that it had, which follows from the size of its events and configuration.
    fuel_max: u64,
    /// The most that its memories took together.
    memory_bytes: u64,
    /// What they might take.
    memory_bytes_max: u64,
    /// Microseconds that the whole transform took.
    transform_us: u64,
}

impl From<Figures> for FiguresView {
    fn from(figures: Figures) -> Self {
        let Figures { fuel_used, fuel_max, memory_bytes, memory_bytes_max, transform_us } = figures;
        Self { fuel_used, fuel_max, memory_bytes, memory_bytes_max, transform_us }
    }
}

/// Either kind of fault; the names of the two do not meet.
#[derive(Serialize)]
#[serde(untagged)]
enum FaultCode {
    Plugin(PluginFaultCode),
    Send(SendFaultCode),
}

/// An outcome, spread over an attempt's members.
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
                reason: Some(refusal(answer.status)),
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

/// Why an answer is no success. The codes and the rule that say so are the subscription's, as it was then.
fn refusal(status: u16) -> String {
    match status {
        200..300 => format!("the receiver answered {status}, which was no success for the subscription"),
        _ => format!("the receiver answered {status}"),
    }
}

/// A header.
#[derive(Serialize, ToSchema)]
#[schema(as = Header)]
struct HeaderView {
    /// Its name.
    name: String,
    /// Its value; `***` if it is secret.
    value: String,
}

fn headers(headers: Vec<(String, String)>) -> Vec<HeaderView> {
    headers.into_iter().map(|(name, value)| HeaderView { name, value }).collect()
}

/// How the bytes of a body are shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BodyEncoding {
    /// As they are: they are UTF-8.
    Text,
    /// In base64: they are not.
    Base64,
}

fn body(bytes: &Bytes) -> (String, BodyEncoding) {
    match str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), BodyEncoding::Text),
        Err(_) => (STANDARD.encode(bytes), BodyEncoding::Base64),
    }
}

/// A request as it went out.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookRequest)]
pub(super) struct RequestView {
    /// The method.
    #[schema(value_type = MethodName)]
    method: String,
    /// The whole URL.
    url: String,
    /// The headers.
    headers: Vec<HeaderView>,
    /// The exact body.
    body: String,
    /// How `body` shows it.
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

/// What a receiver answered.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiverResponse)]
struct AnswerView {
    /// The HTTP status.
    status: u16,
    /// The headers, as far as they are kept.
    headers: Vec<HeaderView>,
    /// The body, as far as it is kept.
    body: String,
    /// How `body` shows it.
    body_encoding: BodyEncoding,
    /// Whether there was more of the body.
    truncated: bool,
}

impl From<Answer> for AnswerView {
    fn from(answer: Answer) -> Self {
        let (body, body_encoding) = body(&answer.body);
        let Answer { status, headers: came, body: _, truncated } = answer;
        Self { status, headers: headers(came), body, body_encoding, truncated }
    }
}

/// A line that a plugin wrote.
#[derive(Serialize, ToSchema)]
#[schema(as = LogLine)]
pub(super) struct LogView {
    /// How much it matters.
    #[schema(value_type = LogLevelName)]
    level: LogLevel,
    /// The text.
    message: String,
}

impl From<LogLine> for LogView {
    fn from(LogLine { level, message }: LogLine) -> Self {
        Self { level, message }
    }
}

/// How much a log line matters.
#[derive(ToSchema)]
#[schema(as = LogLevel, rename_all = "snake_case")]
#[expect(dead_code, reason = "stands in the document for the model's level, which knows nothing of documents")]
enum LogLevelName {
    /// For the plugin's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Odd, but dealt with.
    Warn,
    /// Wrong.
    Error,
}
