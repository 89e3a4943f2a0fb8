//! The page of a subscription: what it is, how it fares, and what can be done with it.

use axum::Router;
use axum::extract::Path;
use axum::response::Html;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::charts::{Charts, charts};
use super::super::history::Delivery;
use super::{Queue, Trigger};
use crate::Pages;
use crate::address::segment;
use crate::page::{List, Page, PageError, html};
use crate::show;

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}/subscriptions/{id}", get(detail))
}

/// A subscription as the API shows it.
#[derive(Deserialize)]
struct Subscription {
    id: String,
    name: String,
    description: String,
    profile: String,
    generation: u32,
    url: String,
    method: String,
    event_types: Vec<String>,
    trigger: Option<Trigger>,
    condition: Option<String>,
    fields: Fields,
    content_type: String,
    headers: Vec<Header>,
    query: Vec<Header>,
    delay_s: u64,
    batch: Option<Box<RawValue>>,
    rate: Option<Rate>,
    in_flight_max: Option<u32>,
    plugin: Option<Plugin>,
    plugin_history: Vec<serde::de::IgnoredAny>,
    signing: Signing,
    secrets: Vec<serde::de::IgnoredAny>,
    handshake: Handshake,
    handshake_report: Option<Report>,
    timeout_ms: f64,
    success_codes: String,
    retry: Retry,
    pause_after_failures: u32,
    pause_on_gone: bool,
    notify_on_failure: bool,
    keep_days: u32,
    state: String,
    pause_reason: Option<String>,
    pause_detail: Option<String>,
    failure_streak: u64,
    failed_deliveries: u64,
    last_triggered_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    queue: Queue,
}

#[derive(Deserialize)]
struct Fields {
    include: Vec<String>,
    exclude: Vec<String>,
}

/// A header or a parameter of the query.
#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Rate {
    count: u32,
    per: String,
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    version: String,
    follows: Option<String>,
    held_back: Option<String>,
    config: Box<RawValue>,
}

#[derive(Deserialize)]
struct Signing {
    scheme: String,
}

#[derive(Deserialize)]
struct Handshake {
    kind: String,
}

/// The report of a handshake.
#[derive(Deserialize)]
struct Report {
    at: Timestamp,
    passed: bool,
    reason: String,
    status: Option<u16>,
    took_ms: f64,
    answer: String,
}

#[derive(Deserialize)]
struct Retry {
    schedule_s: Vec<u64>,
}

impl Subscription {
    /// Returns the waits of the retry schedule in words.
    fn retries(&self) -> String {
        let waits: Vec<_> = self.retry.schedule_s.iter().map(show::seconds).collect();
        if waits.is_empty() { "none: one attempt".to_owned() } else { format!("after {}", waits.join(", ")) }
    }

    fn is_n8n_test(&self) -> bool {
        self.url.contains("/webhook-test/")
    }
}

#[derive(askama::Template)]
#[template(path = "subscription.html")]
struct View {
    page: Page,
    one: Subscription,
    /// The API's path of the subscription.
    path: String,
    /// This page's path.
    here: String,
    charts: Charts,
    last: Vec<Delivery>,
}

async fn detail(mut page: Page, Path((_, id)): Path<(String, String)>) -> Result<Html<String>, PageError> {
    let id = segment(&id);
    let one: Subscription = page.in_space(&format!("subscriptions/{id}")).await?;
    let charts = charts(&mut page, Some(&id)).await?;
    let last = page.in_space::<List<_>>(&format!("deliveries?subscription={id}&limit=10")).await?.data;
    let path = format!("/v1/spaces/{}/subscriptions/{id}", page.space);
    let here = format!("{}/{id}", page.at("subscriptions"));
    html(&View { page, one, path, here, charts, last })
}

impl View {
    /// Returns a path of the API below the subscription's.
    fn below(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }
}
