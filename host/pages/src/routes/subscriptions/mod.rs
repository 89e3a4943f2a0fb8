//! The subscriptions of a space: the list, each one's page, and the form that makes and changes one.

mod detail;
mod form;

use axum::Router;
use axum::extract::Query;
use axum::response::Html;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;

use crate::Pages;
use crate::address::{query, replaced};
use crate::page::{List, Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}/subscriptions", get(list)).merge(form::paths()).merge(detail::paths())
}

/// A subscription as lists show it.
#[derive(Deserialize)]
pub(super) struct Row {
    /// Id.
    pub(super) id: String,
    /// Name.
    pub(super) name: String,
    /// URL.
    pub(super) url: String,
    /// State.
    pub(super) state: String,
    /// Event types and patterns.
    pub(super) event_types: Vec<String>,
    /// Change that an event must report.
    pub(super) trigger: Option<Trigger>,
    /// Condition.
    pub(super) condition: Option<String>,
    plugin: Option<Plugin>,
    pause_reason: Option<String>,
    failure_streak: u64,
    last_triggered_at: Option<Timestamp>,
    queue: Queue,
}

impl Row {
    /// Returns the event types as one line.
    fn events(&self) -> String {
        self.event_types.join(", ")
    }
}

/// The change that an event must report.
#[derive(Deserialize)]
pub(super) struct Trigger {
    /// Any of these fields.
    #[serde(default)]
    pub(super) fields: Vec<String>,
    /// Or this field from one value to another.
    pub(super) status: Option<StatusChange>,
}

/// A change of a field from one value to another.
#[derive(Deserialize)]
pub(super) struct StatusChange {
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    from: Option<serde_json::Value>,
    #[serde(default)]
    to: Option<serde_json::Value>,
}

impl StatusChange {
    /// Returns the name of the field.
    pub(super) fn field(&self) -> &str {
        self.field.as_deref().unwrap_or("status")
    }

    /// Returns the previous value as a person writes it; empty for any.
    pub(super) fn origin_text(&self) -> String {
        text(self.from.as_ref())
    }

    /// Returns the new value as a person writes it; empty for any.
    pub(super) fn to_text(&self) -> String {
        text(self.to.as_ref())
    }
}

fn text(value: Option<&serde_json::Value>) -> String {
    match value {
        None => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// What waits for a subscription.
#[derive(Deserialize)]
struct Queue {
    waiting: u64,
    retrying: u64,
    next_due_at: Option<Timestamp>,
}

/// The plugin of a subscription.
#[derive(Deserialize)]
struct Plugin {
    name: String,
    version: String,
}

/// The filters of the list, as its form names them.
#[derive(Default, Deserialize)]
struct Filters {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    plugin: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    cursor: String,
}

impl Filters {
    fn any(&self) -> bool {
        [&self.q, &self.state, &self.event_type, &self.plugin].iter().any(|filter| !filter.is_empty())
    }

    fn query(&self) -> String {
        let Self { q, state, event_type, plugin, sort, cursor } = self;
        let sort = if sort.is_empty() { "-created" } else { sort };
        let all = [
            ("q", q.trim()),
            ("state", state),
            ("event_type", event_type.trim()),
            ("plugin", plugin.trim()),
            ("sort", sort),
            ("cursor", cursor),
        ];
        query(all.into_iter().chain([("limit", "50")]))
    }
}

#[derive(askama::Template)]
#[template(path = "subscriptions.html")]
struct View {
    page: Page,
    filters: Filters,
    list: List<Row>,
}

impl View {
    /// Returns the address sorted by a column: again by the same one turns the order, if the API has the other.
    fn sorted(&self, by: &str) -> String {
        let reversed = format!("-{by}");
        let only_descending = by == "failures";
        let sort = if only_descending || self.filters.sort == by { &reversed } else { by };
        let first_page = replaced(&self.page.address, "cursor", "");
        replaced(&first_page, "sort", sort)
    }

    /// Returns how the table is sorted by a column, for `aria-sort`.
    fn order(&self, by: &str) -> &'static str {
        match self.filters.sort.strip_prefix('-') {
            Some(descending) if descending == by => "descending",
            None if self.filters.sort == by => "ascending",
            _ => "none",
        }
    }
}

async fn list(mut page: Page, Query(filters): Query<Filters>) -> Result<Html<String>, PageError> {
    let list = page.in_space(&format!("subscriptions?{}", filters.query())).await?;
    html(&View { page, filters, list })
}
