//! What the endpoint answers, and how fast.

use super::finding::{Check, Finding};
use crate::dispatch::handshake::ProbeResult;
use hookmill_model::{Answer, Handshake, HandshakeKind, HandshakeReport, SendFaultCode, Subscription};

/// How much of an answer's body is told.
const ANSWER_CHARS_MAX: usize = 200;

/// What is asked: what an activation asks, or a HEAD within the limit of deliveries.
pub(super) fn question(subscription: &Subscription) -> Handshake {
    subscription.handshake.clone().unwrap_or_else(|| Handshake {
        kind: HandshakeKind::Head,
        success_codes: subscription.success_codes.clone(),
        timeout_ms: subscription.timeout_ms,
    })
}

/// Judges what came of asking `question`.
pub fn endpoint(subscription: &Subscription, question: &Handshake, asked: &ProbeResult) -> Finding {
    let ProbeResult { report, result } = asked;
    let problem = |finding: String, what_to_do: String| Finding::problem(Check::Endpoint, finding, what_to_do);
    let finding = format!("asked with {}: {}", request(question.kind), report.reason);
    match result {
        None => problem(finding, "see what is said of the plugin".to_owned()),
        Some(Err(fault)) if fault.code == SendFaultCode::Tls => {
            Finding::skipped(Check::Endpoint, "the endpoint could not be asked without TLS")
        }
        Some(Err(fault)) => problem(finding, fault_advice(fault.code).to_owned()),
        Some(Ok(answer)) if report.passed => passed(question, report, answer),
        Some(Ok(answer)) if subscription.handshake.is_none() && tells_little(answer.status) => {
            let what_to_do = format!(
                "that may be because it was a HEAD, which many receivers do not expect: send a test (POST \
                 …/test) to see its answer to a delivery. If that fails too: {}",
                status_advice(question, answer)
            );
            Finding::warning(Check::Endpoint, finding, what_to_do)
        }
        Some(Ok(answer)) => problem(finding, status_advice(question, answer)),
    }
}

fn request(kind: HandshakeKind) -> &'static str {
    match kind {
        HandshakeKind::EmptyPost => "an empty POST",
        HandshakeKind::TestEvent => "a test event",
        HandshakeKind::Head => "a HEAD",
        HandshakeKind::CloudEvents => "an OPTIONS for consent",
    }
}

fn passed(question: &Handshake, report: &HandshakeReport, answer: &Answer) -> Finding {
    let (status, took_ms, limit) = (answer.status, report.took_ms, question.timeout_ms);
    let said: String = report.answer.chars().take(ANSWER_CHARS_MAX).collect();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let finding = format!(
        "asked with {}: the endpoint answered {status} in {took_ms} ms of {limit} allowed{said}",
        request(question.kind)
    );
    if took_ms * 2 <= u64::from(limit) {
        return Finding::ok(Check::Endpoint, finding);
    }
    let what_to_do = "that is more than half of its time, and with real data it may take longer: let the receiver answer \
        at once and work afterwards, or allow it more by `timeout_ms`";
    Finding::warning(Check::Endpoint, finding, what_to_do)
}

/// Answers that a receiver which takes deliveries well may give to a HEAD without a body.
fn tells_little(status: u16) -> bool {
    matches!(status, 200..=299 | 400 | 404 | 405 | 411 | 415 | 422 | 501)
}

fn fault_advice(code: SendFaultCode) -> &'static str {
    match code {
        SendFaultCode::AddressRefused => "use a public URL of the receiver",
        SendFaultCode::Dns => "look for a typing error in the URL's host",
        SendFaultCode::Connect => {
            "see that the receiver runs, that the URL has its port, and that no firewall is between"
        }
        SendFaultCode::Tls => "look at the receiver's certificate",
        SendFaultCode::Timeout => {
            "see that the receiver runs and that no firewall drops what is sent; let it answer at once and work \
             afterwards, or allow it more by `timeout_ms`"
        }
        SendFaultCode::Protocol => "see that what listens there is an HTTP server, and whether https:// is meant",
        SendFaultCode::AnswerBroken => "look into the receiver's log: it ends its answers in the middle",
    }
}

fn status_advice(question: &Handshake, answer: &Answer) -> String {
    match answer.status {
        300..=399 => {
            let location = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
            let location = location.map(|(_, location)| format!(": {location}")).unwrap_or_default();
            format!("redirects are not followed: use the URL that it leads to{location}")
        }
        401 | 403 => {
            "the receiver does not believe who asks: compare the signing secret on both sides, and the headers \
            that it wants"
                .to_owned()
        }
        404 | 410 => "copy the URL anew from the receiver, and see that what is behind it is switched on (an n8n \
            workflow published, a Make webhook not deleted)"
            .to_owned(),
        405 | 501 => "let the receiver take this method, or choose another handshake or method".to_owned(),
        429 => "the receiver has enough for now: try again later, or send it less".to_owned(),
        500..=599 => "look into the receiver's log: its program fails".to_owned(),
        _ => format!("let the endpoint answer {}", question.success_codes),
    }
}
