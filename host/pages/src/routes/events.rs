//! Events: what came in, which subscriptions matched it and why the others did not.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::Path;
use axum::response::Html;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::history::{Delivery, indexed_paths, names};
use crate::Pages;
use crate::address::{parameter, query, segment};
use crate::page::{List, Page, PageError, html};
use crate::pretty;

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}/events", get(events)).route("/s/{space}/events/{event}", get(event))
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    occurred_at: Timestamp,
    accepted_at: Timestamp,
}

/// The API's event with its data.
#[derive(Deserialize)]
struct Details {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    occurred_at: Timestamp,
    accepted_at: Timestamp,
    deliveries: u64,
    changed_fields: Option<Vec<String>>,
    previous: Option<Box<RawValue>>,
    data: Box<RawValue>,
}

/// A subscription, and whether the event matches it.
#[derive(Deserialize)]
struct Match {
    subscription_id: String,
    name: String,
    state: String,
    delivery_id: Option<String>,
    matched: bool,
    reason: String,
    detail: Option<String>,
    saw: Vec<Seen>,
}

/// A member of the event that a condition reads.
#[derive(Deserialize)]
struct Seen {
    path: String,
    value: Box<RawValue>,
    missing: bool,
    cut: bool,
}

impl Match {
    /// Returns the reason in few words.
    fn words(&self) -> &str {
        match self.reason.as_str() {
            "matches" => "matches",
            "event_type" => "other event types",
            "trigger" => "no change that triggers it",
            "condition" => "condition is false",
            "condition_failed" => "condition failed",
            "not_active" => "would match, but is not active",
            other => other,
        }
    }

    /// Returns the details, unless they say no more than the reason.
    fn told(&self) -> Option<&String> {
        self.detail.as_ref().filter(|_| self.reason != "condition")
    }

    /// Returns the state whose shape and color the reason has.
    fn shape(&self) -> &'static str {
        match self.reason.as_str() {
            "matches" => "delivered",
            "condition_failed" => "failed",
            "not_active" => "paused",
            _ => "skipped",
        }
    }
}

#[derive(askama::Template)]
#[template(path = "events.html")]
struct ListView {
    page: Page,
    list: List<Event>,
    indexed: Vec<String>,
    path: String,
    value: String,
    problem: Option<String>,
}

#[derive(askama::Template)]
#[template(path = "event.html")]
struct View {
    page: Page,
    event: Details,
    list: List<Delivery>,
    names: BTreeMap<String, String>,
    matches: List<Match>,
}

impl View {
    fn name<'a>(&'a self, delivery: &'a Delivery) -> Option<&'a String> {
        self.names.get(&delivery.subscription_id)
    }

    /// Returns JSON on lines, as much of it as is shown, and whether that is not all.
    fn lines(&self, of: &RawValue) -> (String, bool) {
        let text = pretty::json(of.get()).unwrap_or_else(|| of.get().to_owned());
        let (shown, cut) = pretty::shown(&text);
        (shown.to_owned(), cut)
    }
}

async fn events(mut page: Page) -> Result<Html<String>, PageError> {
    let indexed = indexed_paths(&mut page).await?;
    let get = |name| parameter(&page.address, name);
    let (path, value, cursor) = (get("path"), get("value"), get("cursor"));
    let wanted = query([("limit", "50"), ("path", &path), ("value", &value), ("cursor", &cursor)]);
    let (list, problem) = page.search(&format!("events?{wanted}")).await?;
    html(&ListView { page, list, indexed, path, value, problem })
}

async fn event(mut page: Page, Path((_, id)): Path<(String, String)>) -> Result<Html<String>, PageError> {
    let id = segment(&id);
    let event = page.in_space(&format!("events/{id}")).await?;
    let list: List<Delivery> = page.in_space(&format!("deliveries?event={id}&limit=50")).await?;
    let names = names(&mut page, list.data.iter().map(|delivery| delivery.subscription_id.as_str())).await;
    let wanted = query([("limit", "50"), ("cursor", &parameter(&page.address, "cursor"))]);
    let matches = page.in_space(&format!("events/{id}/matches?{wanted}")).await?;
    html(&View { page, event, list, names, matches })
}
