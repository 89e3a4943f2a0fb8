//! The handshake before an activation: one request, and the judgment whether the endpoint passed.
//!
//! The request is sent like any other: by the same client and address policy, with the subscription's own headers,
//! signed by its scheme. It is not a delivery: nothing is retried, and the result is kept with the subscription.

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

/// The length of a response body that is shown: enough to tell a wrong address from a failing receiver.
const ANSWER_CHARS_MAX: usize = 500;

/// The result of probing an endpoint.
#[derive(Clone, Debug)]
pub struct ProbeResult {
    /// The report that is kept.
    pub report: HandshakeReport,
    /// The response, or the reason there is none; none if the plugin produced no request that could be sent.
    pub result: Option<Result<Answer, SendFault>>,
}

/// Performs the handshake. `event` is the event that a [`HandshakeKind::TestEvent`] sends.
///
/// # Errors
/// If the host itself fails. Faults of the endpoint or the plugin are in the report.
pub async fn handshake(
    host: &Host,
    subscription: &Subscription,
    handshake: &Handshake,
    event: Option<Event>,
) -> anyhow::Result<HandshakeReport> {
    Ok(probe(host, subscription, handshake, event).await?.report)
}

/// Performs the handshake and also returns the response itself.
///
/// # Errors
/// As [`handshake`].
pub async fn probe(
    host: &Host,
    subscription: &Subscription,
    handshake: &Handshake,
    event: Option<Event>,
) -> anyhow::Result<ProbeResult> {
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
        Err(reason) => return Ok(ProbeResult { report: refused(now, reason), result: None }),
    };
    let timeout = Duration::from_millis(handshake.timeout_ms.into());
    let (_, sent) = signed_and_sent(host, subscription, id, &request, timeout).await?;
    let judged = judge(host, handshake, &sent.result);
    let answer = sent.result.as_ref().ok();
    let report = HandshakeReport {
        at: now,
        passed: judged.is_ok(),
        reason: describe(handshake, sent.took_us / 1_000, answer, judged),
        status: answer.map(|answer| answer.status),
        took_ms: sent.took_us / 1_000,
        answer: answer.map_or_else(String::new, first_chars),
    };
    Ok(ProbeResult { report, result: Some(sent.result) })
}

/// Returns the request of a test event, or the reason the plugin produces none.
async fn test_request(
    host: &Host,
    subscription: &Subscription,
    id: DeliveryId,
    event: Event,
) -> anyhow::Result<Result<Request, String>> {
    let delivery = test_delivery(subscription, id, event);
    let compiled = CompiledSubscription::new(subscription.clone());
    Ok(match shape(host, &compiled, &delivery, 1).await?.result {
        Ok(TransformDecision::Deliver(request)) => Ok(*request),
        Ok(TransformDecision::Skip(reason)) => Err(format!("the plugin skips the test event: {reason}")),
        Err(fault) => Err(format!("the plugin fails on the test event: {}", fault.message)),
    })
}

fn refused(at: jiff::Timestamp, reason: String) -> HandshakeReport {
    HandshakeReport { at, passed: false, reason, status: None, took_ms: 0, answer: String::new() }
}

/// Judges whether the endpoint passed; the error is what it did wrong.
fn judge(host: &Host, handshake: &Handshake, result: &Result<Answer, SendFault>) -> Result<(), String> {
    let answer = result.as_ref().map_err(|fault| format!("the endpoint did not respond: {}", fault.message))?;
    if !handshake.success_codes.contains(answer.status) {
        let expected = &handshake.success_codes;
        return Err(format!("the endpoint responded {}, expected {expected}", answer.status));
    }
    if handshake.kind == HandshakeKind::CloudEvents && !consents(answer, &host.config.send.origin) {
        let origin = &host.config.send.origin;
        return Err(format!(
            "the response has no WebHook-Allowed-Origin header of `{origin}` or `*`: a status alone is no consent"
        ));
    }
    Ok(())
}

/// CloudEvents, "HTTP 1.1 Web Hooks" 4.2: consent to the requesting origin, or to any.
fn consents(answer: &Answer, origin: &str) -> bool {
    let allowed = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("webhook-allowed-origin"));
    allowed.map(|(_, value)| value.trim()).any(|value| value == "*" || value.eq_ignore_ascii_case(origin))
}

fn describe(handshake: &Handshake, took_ms: u64, answer: Option<&Answer>, judged: Result<(), String>) -> String {
    let Err(reason) = judged else { return format!("the endpoint passed in {took_ms} ms") };
    let body = answer.map(first_chars).filter(|body| !body.is_empty());
    let said = body.map(|body| format!(": {body}")).unwrap_or_default();
    format!("{reason}; took {took_ms} ms ({} ms allowed){said}", handshake.timeout_ms)
}

fn first_chars(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).chars().take(ANSWER_CHARS_MAX).collect()
}
