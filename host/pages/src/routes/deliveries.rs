//! A delivery: what was sent at each attempt, what came back, and what happens next.

use axum::Router;
use axum::extract::Path;
use axum::response::Html;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::history::{Delivery, of_field};
use crate::Pages;
use crate::address::segment;
use crate::page::{Page, PageError, html};
use crate::pretty;

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}/deliveries/{delivery}", get(delivery))
}

/// The rest of the API's delivery, which is read twice: a flattened member would not keep numbers as they are.
#[derive(Deserialize)]
struct Details {
    event_ids: Vec<String>,
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Attempt {
    number: u32,
    due_at: Timestamp,
    started_at: Timestamp,
    late_us: u64,
    send_us: u64,
    outcome: String,
    reason: Option<String>,
    fault: Option<String>,
    request: Option<Request>,
    answer: Option<Answer>,
    plugin_digest: Option<String>,
    plugin_fault: Option<PluginFault>,
    figures: Figures,
    logs: Vec<LogLine>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    url: String,
    headers: Vec<Header>,
    body: String,
    body_encoding: String,
}

#[derive(Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<Header>,
    body: String,
    body_encoding: String,
    truncated: bool,
}

#[derive(Deserialize)]
struct PluginFault {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct Figures {
    fuel_used: u64,
    fuel_max: u64,
    memory_bytes: u64,
    memory_bytes_max: u64,
    transform_us: u64,
}

#[derive(Deserialize)]
struct LogLine {
    level: String,
    message: String,
}

/// A body as a page shows it.
struct Shown {
    /// On lines, if that is not how it is.
    pretty: Option<String>,
    raw: String,
    /// Its bytes are no text, so that `raw` is in base64.
    base64: bool,
    /// Only its beginning is shown.
    cut: bool,
}

impl Shown {
    fn new(body: &str, encoding: &str, headers: &[Header]) -> Self {
        let base64 = encoding == "base64";
        let content_type = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-type"));
        let content_type = content_type.map_or("", |header| &header.value);
        let lines = if base64 { None } else { pretty::body(body, content_type) };
        let cut_text = |text: &str| pretty::shown(text).0.to_owned();
        Self {
            pretty: lines.filter(|lines| lines != body).map(|lines| cut_text(&lines)),
            raw: cut_text(body),
            base64,
            cut: pretty::shown(body).1,
        }
    }
}

impl Request {
    fn shown(&self) -> Shown {
        Shown::new(&self.body, &self.body_encoding, &self.headers)
    }
}

impl Answer {
    fn shown(&self) -> Shown {
        Shown::new(&self.body, &self.body_encoding, &self.headers)
    }
}

impl Attempt {
    /// Returns the state whose shape and color an attempt's outcome has.
    fn shape(&self) -> &'static str {
        match self.outcome.as_str() {
            "succeeded" => "delivered",
            "skipped" => "skipped",
            _ => "failed",
        }
    }

    /// Returns the reason, unless it says no more than the status.
    fn told(&self) -> Option<&String> {
        let by_status = self.answer.as_ref().is_some_and(|answer| !(200..300).contains(&answer.status));
        self.reason.as_ref().filter(|_| !by_status)
    }

    /// Returns the result in few words.
    fn words(&self) -> String {
        match (&self.answer, self.outcome.as_str()) {
            (Some(answer), "succeeded") => format!("Accepted with {}", answer.status),
            (Some(answer), _) => format!("Rejected with {}", answer.status),
            (None, "unreachable") => "No response".to_owned(),
            (None, "skipped") => "Skipped by the plugin".to_owned(),
            (None, "plugin_failed") => "The plugin failed".to_owned(),
            (None, other) => other.to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct Subscription {
    name: String,
    state: String,
    plugin: Option<Plugin>,
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
}

#[derive(askama::Template)]
#[template(path = "delivery.html")]
struct View {
    page: Page,
    delivery: Delivery,
    event_ids: Vec<String>,
    attempts: Vec<Attempt>,
    /// None if it was deleted.
    subscription: Option<Subscription>,
}

impl View {
    /// Returns what changes when something happened to the delivery.
    fn mark(&self) -> String {
        format!("{} {} {}", self.delivery.state, self.attempts.len(), self.delivery.due_at)
    }

    /// Returns the label of the button that sends it as the plugin makes it now.
    fn resend(&self) -> &'static str {
        if self.attempts.is_empty() { "Send now" } else { "Resend with the current plugin" }
    }

    fn was_sent(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.request.is_some())
    }

    /// Returns the filters that find those that failed alike, about the same time.
    fn alike(&self) -> String {
        let last = self.attempts.last();
        let how = match last.map(|last| (&last.fault, &last.answer)) {
            Some((Some(fault), _)) => format!("&fault={fault}"),
            Some((None, Some(answer))) => format!("&status={}", answer.status),
            _ => String::new(),
        };
        format!("state=failed&subscription={}{how}&since={}", self.delivery.subscription_id, self.since())
    }

    /// Returns the time an hour before the event: an outage rarely begins with the delivery that one looks at.
    fn since(&self) -> String {
        of_field(self.delivery.accepted_at.checked_sub(SignedDuration::from_hours(1)).unwrap_or_default())
    }
}

async fn delivery(mut page: Page, Path((_, id)): Path<(String, String)>) -> Result<Html<String>, PageError> {
    let found: Box<RawValue> = page.in_space(&format!("deliveries/{}", segment(&id))).await?;
    let unreadable = |_| PageError::not_found("The delivery could not be read.");
    let delivery: Delivery = serde_json::from_str(found.get()).map_err(unreadable)?;
    let Details { event_ids, attempts } = serde_json::from_str(found.get()).map_err(unreadable)?;
    let subscription = page.aside(&format!("subscriptions/{}", delivery.subscription_id)).await.ok();
    html(&View { page, delivery, event_ids, attempts, subscription })
}
