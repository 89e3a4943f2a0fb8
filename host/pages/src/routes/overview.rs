//! The overview of a space: what happened in the last hour and day, what waits, and what is wrong.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::Pages;
use crate::chart::{self, Step};
use crate::page::{Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}", get(overview))
}

#[derive(Deserialize)]
struct Counts {
    steps: Vec<Step>,
}

/// The API's overview.
#[derive(Deserialize)]
struct Overview {
    waiting: u64,
    retrying: u64,
    held: u64,
    in_flight: u64,
    oldest_due_at: Option<Timestamp>,
    sending_ms: Option<Percentiles>,
    transform_ms: Option<Percentiles>,
    slowest: Vec<Slow>,
    failing: Vec<Failing>,
}

#[derive(Deserialize)]
struct Percentiles {
    p50: f64,
    p95: f64,
}

#[derive(Deserialize)]
struct Slow {
    subscription_id: String,
    name: String,
    attempts: u64,
    p95_ms: f64,
}

#[derive(Deserialize)]
struct Failing {
    subscription_id: String,
    name: String,
    delivered: u64,
    failed: u64,
    retried: u64,
}

#[derive(Deserialize)]
struct Any {
    data: Vec<serde::de::IgnoredAny>,
}

#[derive(askama::Template)]
#[template(path = "overview.html")]
struct View {
    page: Page,
    name: String,
    overview: Overview,
    hour: String,
    day: String,
    delivered: u64,
    failed: u64,
    retried: u64,
    has_subscriptions: bool,
    has_events: bool,
}

#[derive(Deserialize)]
struct Space {
    name: String,
}

async fn overview(mut page: Page) -> Result<Html<String>, PageError> {
    let path = format!("/v1/spaces/{}", page.space);
    let Space { name } = page.get(&path).await?;
    let overview = page.in_space("overview").await?;
    let now = page.now;
    let since = |before| now.checked_sub(before).unwrap_or(Timestamp::MIN);
    let (hour, day) = (SignedDuration::from_mins(59), SignedDuration::from_hours(23));
    let minutes: Counts = page.in_space(&format!("counts?step=minute&since={}", since(hour))).await?;
    let hours: Counts = page.in_space(&format!("counts?step=hour&since={}", since(day))).await?;
    let has_subscriptions = !page.in_space::<Any>("subscriptions?limit=1").await?.data.is_empty();
    let has_events = !page.in_space::<Any>("events?limit=1").await?.data.is_empty();
    let sum = |of: fn(&Step) -> u64| minutes.steps.iter().map(of).sum();
    let (delivered, failed, retried) = (sum(|s| s.delivered), sum(|s| s.failed), sum(|s| s.retried));
    let hour = chart::bars(&minutes.steps, SignedDuration::from_mins(1), 60, now, "Per minute, the last hour");
    let day = chart::bars(&hours.steps, SignedDuration::from_hours(1), 24, now, "Per hour, the last day");
    html(&View { page, name, overview, hour, day, delivered, failed, retried, has_subscriptions, has_events })
}
