//! The overview of a space: what happened in the last hour and day, what waits, and what is wrong.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::charts::{Charts, charts};
use crate::Pages;
use crate::page::{List, Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}", get(overview))
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

#[derive(askama::Template)]
#[template(path = "overview.html")]
struct View {
    page: Page,
    name: String,
    overview: Overview,
    charts: Charts,
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
    let charts = charts(&mut page, None).await?;
    let has_subscriptions = !page.in_space::<List<IgnoredAny>>("subscriptions?limit=1").await?.data.is_empty();
    let has_events = !page.in_space::<List<IgnoredAny>>("events?limit=1").await?.data.is_empty();
    html(&View { page, name, overview, charts, has_subscriptions, has_events })
}
