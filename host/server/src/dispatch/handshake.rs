//! The handshake before an activation: one request, and whether the endpoint passed.
//!
//! It goes out like any other request: by the same client and its address policy, with the subscription's own headers,
//! signed by its scheme. It is no delivery: nothing is retried, and what came of it is kept with the subscription.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};

use super::transform::TransformDecision;
use super::{shape, signed_and_sent, test_delivery};
use crate::host::Host;
use crate::registry::CompiledSubscription;
use crate::stages::request;
use hookmill_model::{
    Answer, DeliveryId, Event, Handshake, HandshakeKind, HandshakeReport, Request, SendFault, Subscription,
};

/// What is shown of an answer's body: enough to tell a wrong address from a failing program.
const ANSWER_CHARS_MAX: usize = 500;

/// What came of asking an endpoint.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What is kept of it.
    pub report: HandshakeReport,
    /// The answer, or why there is none; none if the plugin made no request that could be sent.
    pub result: Option<Result<Answer, SendFault>>,
}

/// Asks the endpoint. `event` is what a [`HandshakeKind::TestEvent`] shows.
///
/// # Errors
/// If the host itself fails. What the endpoint or the plugin does wrong is in the report.
pub async fn handshake(
    host: &Host,
    subscription: &Subscription,
    handshake: &Handshake,
    event: Option<Event>,
) -> anyhow::Result<HandshakeReport> {
    Ok(ask(host, subscription, handshake, event).await?.report)
}

/// The same, for whoever wants to know the answer itself.
///
/// # Errors
/// As [`handshake`].
pub async fn ask(
    host: &Host,
    subscription: &Subscription,
    handshake: &Handshake,
    event: Option<Event>,
) -> anyhow::Result<Asked> {
    let now = host.clock.now();
    let id = DeliveryId::new(now);
    let bare = |method, headers| request::without_body(subscription, method, headers).map_err(|fault| fault.message);
    let request = match (handshake.kind, event) {
        (HandshakeKind::TestEvent, Some(event)) => test_request(host, subscription, id, event).await?,
        (HandshakeKind::Head, _) => bare(Method::HEAD, HeaderMap::new()),
        (HandshakeKind::CloudEvents, _) => {
            let origin = HeaderValue::from_str(&host.config.send.origin)?;
            bare(Method::OPTIONS, [(request::ORIGIN, origin)].into_iter().collect())
        }
        (HandshakeKind::EmptyPost | HandshakeKind::TestEvent, _) => bare(Method::POST, HeaderMap::new()),
    };
    let request = match request {
        Ok(request) => request,
        Err(reason) => return Ok(Asked { report: refused(now, reason), result: None }),
    };
    let timeout = Duration::from_millis(handshake.timeout_ms.into());
    let (_, sent) = signed_and_sent(host, subscription, id, &request, timeout).await;
    let judged = judge(host, handshake, &sent.result);
    let answer = sent.result.as_ref().ok();
    let report = HandshakeReport {
        at: now,
        passed: judged.is_ok(),
        reason: told(handshake, sent.took_us / 1_000, answer, judged),
        status: answer.map(|answer| answer.status),
        took_ms: sent.took_us / 1_000,
        answer: answer.map_or_else(String::new, first_chars),
    };
    Ok(Asked { report, result: Some(sent.result) })
}

/// The request of a test event, or why the plugin makes none of it.
async fn test_request(
    host: &Host,
    subscription: &Subscription,
    id: DeliveryId,
    event: Event,
) -> anyhow::Result<Result<Request, String>> {
    let delivery = test_delivery(subscription, id, event);
    let live = CompiledSubscription::new(subscription.clone());
    Ok(match shape(host, &live, &delivery, 1).await?.result {
        Ok(TransformDecision::Deliver(request)) => Ok(*request),
        Ok(TransformDecision::Skip(reason)) => Err(format!("the plugin sends no test event: {reason}")),
        Err(fault) => Err(format!("the plugin makes no request of a test event: {}", fault.message)),
    })
}

fn refused(at: jiff::Timestamp, reason: String) -> HandshakeReport {
    HandshakeReport { at, passed: false, reason, status: None, took_ms: 0, answer: String::new() }
}

/// Whether the endpoint passed, or what it did not do.
fn judge(host: &Host, handshake: &Handshake, result: &Result<Answer, SendFault>) -> Result<(), String> {
    let answer = result.as_ref().map_err(|fault| format!("the endpoint did not answer: {}", fault.message))?;
    if !handshake.success_codes.contains(answer.status) {
        let wanted = &handshake.success_codes;
        return Err(format!("the endpoint answered {}, and must answer {wanted}", answer.status));
    }
    if handshake.kind == HandshakeKind::CloudEvents && !consents(answer, &host.config.send.origin) {
        let origin = &host.config.send.origin;
        return Err(format!(
            "the answer has no WebHook-Allowed-Origin of `{origin}` or `*`: a status alone is no consent"
        ));
    }
    Ok(())
}

/// CloudEvents, "HTTP 1.1 Web Hooks" 4.2: the origin that asked, or any.
fn consents(answer: &Answer, origin: &str) -> bool {
    let allowed = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("webhook-allowed-origin"));
    allowed.map(|(_, value)| value.trim()).any(|value| value == "*" || value.eq_ignore_ascii_case(origin))
}

fn told(handshake: &Handshake, took_ms: u64, answer: Option<&Answer>, judged: Result<(), String>) -> String {
    let Err(reason) = judged else { return format!("the endpoint passed in {took_ms} ms") };
    let body = answer.map(first_chars).filter(|body| !body.is_empty());
    let said = body.map(|body| format!(": {body}")).unwrap_or_default();
    format!("{reason}; it took {took_ms} ms of {} allowed{said}", handshake.timeout_ms)
}

fn first_chars(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).chars().take(ANSWER_CHARS_MAX).collect()
}
