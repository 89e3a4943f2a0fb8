//! Requests: verified, formatted for people, answered as told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use hookmill_server::clock::Clock;
use http::header::{CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{StatusCode, header};
use tokio::sync::mpsc::Sender;

use super::verify::{Verdict, Verifier};
use crate::client::pretty_body;
use crate::text::on_one_line;

/// The largest body that is read: more than a host sends by default.
const BODY_BYTES_MAX: usize = 16 << 20;

const DIM: Style = Style::new().dimmed();
const METHOD: Style = Style::new().bold();

/// Headers that each request has, and that say nothing about the webhook.
const USUAL: [HeaderName; 7] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::USER_AGENT,
];

/// How requests are answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) delay: Duration,
    pub(super) body: String,
}

/// A request as it is printed.
pub(super) struct Printed {
    pub(super) text: String,
    pub(super) is_valid: bool,
}

struct Shared {
    verifier: Verifier,
    answer: Answer,
    printed: Sender<Printed>,
    open: Arc<AtomicBool>,
    clock: Clock,
}

/// Answers every method and path: once it is `open`, as told; before, what asks whether anybody is here gets a 204.
pub(super) fn router(verifier: Verifier, answer: Answer, printed: Sender<Printed>, open: Arc<AtomicBool>) -> Router {
    let shared = Shared { verifier, answer, printed, open, clock: Clock::system() };
    Router::new().fallback(receive).with_state(Arc::new(shared))
}

async fn receive(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    if !shared.open.load(Ordering::Relaxed) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        let text =
            format!("{} {}: the body broke off, or is larger than {BODY_BYTES_MAX} bytes", parts.method, parts.uri);
        let _ = shared.printed.send(Printed { text: on_one_line(&text), is_valid: false }).await;
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let verdict = shared.verifier.verify(&parts.headers, &body);
    let printed =
        Printed { text: format(&shared, &parts, &body, &verdict), is_valid: !matches!(verdict, Verdict::Invalid(_)) };
    // Fails only once the command ends.
    let _ = shared.printed.send(printed).await;
    let Answer { status, delay, body } = &shared.answer;
    tokio::time::sleep(*delay).await;
    if body.is_empty() {
        return status.into_response();
    }
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok();
    let content_type = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
    (*status, [(CONTENT_TYPE, content_type)], body.clone()).into_response()
}

fn format(shared: &Shared, parts: &Parts, body: &[u8], verdict: &Verdict) -> String {
    let (good, bad) = (AnsiColor::Green.on_default(), AnsiColor::Red.on_default().bold());
    let signature = match verdict {
        Verdict::NotChecked => format!("{DIM}signature not checked: no --secret{DIM:#}"),
        Verdict::Valid => format!("{good}signature valid{good:#}"),
        Verdict::Invalid(reason) => format!("{bad}signature invalid{bad:#}: {}", on_one_line(reason)),
    };
    let time = shared.clock.now().strftime("%H:%M:%SZ");
    let (method, path, status) = (&parts.method, &parts.uri, shared.answer.status.as_u16());
    let mut text = format!("\n{DIM}{time}{DIM:#}  {METHOD}{method} {path}{METHOD:#}  {signature}  → {status}\n");
    let headers = parts.headers.iter().filter(|(name, _)| !USUAL.contains(name));
    for (name, value) in headers {
        let value = on_one_line(&String::from_utf8_lossy(value.as_bytes()));
        text += &format!("  {DIM}{name}:{DIM:#} {value}\n");
    }
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    pretty_body(body, content_type).lines().for_each(|line| text += &format!("  {line}\n"));
    text.trim_end().to_owned()
}
