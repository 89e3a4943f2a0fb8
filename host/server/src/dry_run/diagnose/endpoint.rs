//! Check: the endpoint's response, and its speed.

use super::finding::{Check, Finding};
use crate::dispatch::handshake::ProbeResult;
use hookmill_model::{Answer, Handshake, HandshakeKind, HandshakeReport, SendFaultCode, Subscription};

/// The length of a response body that is shown.
const ANSWER_CHARS_MAX: usize = 200;

/// The probe: the subscription's handshake, or a HEAD within the timeout of deliveries.
pub(super) fn question(subscription: &Subscription) -> Handshake {
    subscription.handshake.clone().unwrap_or_else(|| Handshake {
        kind: HandshakeKind::Head,
        success_codes: subscription.success_codes.clone(),
        timeout_ms: subscription.timeout_ms,
    })
}

/// Judges the result of the probe `question`.
pub fn endpoint(subscription: &Subscription, question: &Handshake, asked: &ProbeResult) -> Finding {
    let ProbeResult { report, result } = asked;
    let problem = |finding: String, what_to_do: String| Finding::problem(Check::Endpoint, finding, what_to_do);
    let finding = format!("probed with {}: {}", request(question.kind), report.reason);
    match result {
        None => problem(finding, "see the finding on the plugin".to_owned()),
        Some(Err(fault)) if fault.code == SendFaultCode::Tls => {
            Finding::skipped(Check::Endpoint, "the endpoint could not be contacted without TLS")
        }
        Some(Err(fault)) => problem(finding, fault_advice(fault.code).to_owned()),
        Some(Ok(answer)) if report.passed => passed(question, report, answer),
        Some(Ok(answer)) if subscription.handshake.is_none() && is_inconclusive(answer.status) => {
            let what_to_do = format!(
                "the reason may be that the probe was a HEAD, which many receivers do not expect: send a test event (POST \
                 …/test) to see the response to a delivery. If that fails too: {}",
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
        HandshakeKind::CloudEvents => "an OPTIONS request for consent",
    }
}

fn passed(question: &Handshake, report: &HandshakeReport, answer: &Answer) -> Finding {
    let (status, took_ms, limit) = (answer.status, report.took_ms, question.timeout_ms);
    let said: String = report.answer.chars().take(ANSWER_CHARS_MAX).collect();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let finding = format!(
        "probed with {}: the endpoint responded {status} in {took_ms} ms ({limit} ms allowed){said}",
        request(question.kind)
    );
    if took_ms * 2 <= u64::from(limit) {
        return Finding::ok(Check::Endpoint, finding);
    }
    let what_to_do = "this is more than half of the timeout, and real data may take longer: make the receiver respond \
        first and do its work afterwards, or raise `timeout_ms`";
    Finding::warning(Check::Endpoint, finding, what_to_do)
}

/// Returns whether a receiver that accepts deliveries may respond with this status to a HEAD without a body.
fn is_inconclusive(status: u16) -> bool {
    matches!(status, 200..=299 | 400 | 404 | 405 | 411 | 415 | 422 | 501)
}

fn fault_advice(code: SendFaultCode) -> &'static str {
    match code {
        SendFaultCode::AddressRefused => "use a public URL of the receiver",
        SendFaultCode::Dns => "check the spelling of the URL's host",
        SendFaultCode::Connect => {
            "check that the receiver is running, that the URL has the right port, and that no firewall is in between"
        }
        SendFaultCode::Tls => "check the receiver's certificate",
        SendFaultCode::Timeout => {
            "check that the receiver is running and that no firewall drops the traffic; make the receiver respond first \
             and do its work afterwards, or raise `timeout_ms`"
        }
        SendFaultCode::Protocol => {
            "check that an HTTP server is listening there, and whether the URL should use https://"
        }
        SendFaultCode::AnswerBroken => "check the receiver's log: it cuts off its responses",
    }
}

fn status_advice(question: &Handshake, answer: &Answer) -> String {
    match answer.status {
        300..=399 => {
            let location = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
            let location = location.map(|(_, location)| format!(": {location}")).unwrap_or_default();
            format!("redirects are not followed: use the target URL{location}")
        }
        401 | 403 => {
            "the receiver does not accept the credentials: compare the signing secret on both sides, and check the \
            headers that it requires"
                .to_owned()
        }
        404 | 410 => {
            "copy the URL from the receiver again, and check that the webhook is active there (the n8n workflow \
            is published, the Make webhook is not deleted)"
                .to_owned()
        }
        405 | 501 => "make the receiver accept this method, or choose another handshake or method".to_owned(),
        429 => "the receiver is rate limiting: try again later, or send fewer requests".to_owned(),
        500..=599 => "check the receiver's log: the receiver has an internal error".to_owned(),
        _ => format!("make the endpoint respond {}", question.success_codes),
    }
}
