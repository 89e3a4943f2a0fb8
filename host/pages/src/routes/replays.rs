//! Replays of a subscription: sending events, or failed deliveries, again, and how far that is.

use axum::Router;
use axum::extract::Path;
use axum::response::Html;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::history::of_field;
use crate::Pages;
use crate::address::segment;
use crate::page::{List, Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new()
        .route("/s/{space}/replays/{subscription}", get(replays))
        .route("/s/{space}/replays/{subscription}/{replay}", get(replay))
}

#[derive(Deserialize)]
struct Replay {
    id: String,
    what: String,
    state: String,
    reason: Option<String>,
    since: Timestamp,
    until: Timestamp,
    event_types: Option<Vec<String>>,
    condition: Option<String>,
    only_missing: bool,
    deliveries_per_s: u32,
    examined: u64,
    deliveries: u64,
    progress: f64,
    remaining_s: Option<u64>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Replay {
    fn words(&self) -> &str {
        if self.what == "failed" { "Failed deliveries, again" } else { "Events" }
    }

    fn percent(&self) -> u64 {
        if self.state == "done" { 100 } else { (self.progress * 100.0) as u64 }
    }
}

#[derive(Deserialize)]
struct Subscription {
    id: String,
    name: String,
    state: String,
}

#[derive(askama::Template)]
#[template(path = "replays.html")]
struct ListView {
    page: Page,
    subscription: Subscription,
    list: List<Replay>,
    /// A day ago.
    since: String,
}

#[derive(askama::Template)]
#[template(path = "replay.html")]
struct View {
    page: Page,
    subscription: Subscription,
    replay: Replay,
}

async fn subscription(page: &mut Page, id: &str) -> Result<Subscription, PageError> {
    page.aside(&format!("subscriptions/{}", segment(id))).await
}

async fn replays(mut page: Page, Path((_, id)): Path<(String, String)>) -> Result<Html<String>, PageError> {
    let subscription = subscription(&mut page, &id).await?;
    let query = page.address.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
    let list = page.in_space(&format!("subscriptions/{}/replays{query}", segment(&id))).await?;
    let since = of_field(page.now.checked_sub(SignedDuration::from_hours(24)).unwrap_or_default());
    html(&ListView { page, subscription, list, since })
}

async fn replay(
    mut page: Page,
    Path((_, id, replay)): Path<(String, String, String)>,
) -> Result<Html<String>, PageError> {
    let subscription = subscription(&mut page, &id).await?;
    let replay = page.in_space(&format!("subscriptions/{}/replays/{}", segment(&id), segment(&replay))).await?;
    html(&View { page, subscription, replay })
}
