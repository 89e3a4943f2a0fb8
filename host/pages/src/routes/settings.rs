//! The settings of a space: one page with tabs.

use axum::Router;
use axum::extract::Query;
use axum::response::Html;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Pages;
use crate::address::segment;
use crate::page::{List, Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new()
        .route("/s/{space}/settings", get(general))
        .route("/s/{space}/settings/keys", get(keys))
        .route("/s/{space}/settings/event-types", get(event_types))
        .route("/s/{space}/settings/plugin-keys", get(plugin_keys))
        .route("/s/{space}/settings/limits", get(limits))
        .route("/s/{space}/settings/erasures", get(erasures))
}

/// Returns whether the reader may see a tab.
pub(crate) fn is_open(page: &Page, tab: &str) -> bool {
    match tab {
        "settings/keys" => page.is_admin(),
        "settings/erasures" => page.may_change(),
        _ => true,
    }
}

/// A space, as the API describes it.
#[derive(Deserialize)]
struct Space {
    name: String,
    administrators: Vec<String>,
    plugin_keys: Vec<String>,
    keep_days: u32,
    keep_bytes: Option<u64>,
    indexed_paths: Vec<String>,
    created_at: Timestamp,
}

async fn space(page: &mut Page) -> Result<Space, PageError> {
    let path = format!("/v1/spaces/{}", page.space);
    page.get(&path).await
}

/// Returns `&cursor=…` of the page's address, if there is one.
fn cursor(asked: &Asked) -> String {
    asked.cursor.as_ref().map_or_else(String::new, |cursor| format!("&cursor={}", segment(cursor)))
}

#[derive(Deserialize)]
struct Asked {
    cursor: Option<String>,
    /// The event type to change.
    edit: Option<String>,
}

#[derive(askama::Template)]
#[template(path = "settings_general.html")]
struct General {
    page: Page,
    space: Space,
}

async fn general(mut page: Page) -> Result<Html<String>, PageError> {
    let space = space(&mut page).await?;
    html(&General { page, space })
}

#[derive(Deserialize)]
struct Key {
    id: String,
    name: String,
    role: String,
    space: Option<String>,
    requests_per_s: Option<u64>,
    created_at: Timestamp,
}

#[derive(askama::Template)]
#[template(path = "settings_keys.html")]
struct Keys {
    page: Page,
    list: List<Key>,
}

async fn keys(mut page: Page, Query(asked): Query<Asked>) -> Result<Html<String>, PageError> {
    let list = page.get(&format!("/v1/keys?limit=50{}", cursor(&asked))).await?;
    html(&Keys { page, list })
}

/// An event type. Its example and schema keep their digits (`arbitrary_precision`) and the order of their members.
#[derive(Deserialize)]
struct EventType {
    name: String,
    description: String,
    schema: Option<Value>,
    example: Option<Value>,
    created_at: Timestamp,
}

impl EventType {
    fn example(&self) -> String {
        self.example.as_ref().map(|example| format!("{example:#}")).unwrap_or_default()
    }

    fn schema(&self) -> String {
        self.schema.as_ref().map(|schema| format!("{schema:#}")).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Profile {
    name: String,
    title: String,
}

#[derive(askama::Template)]
#[template(path = "settings_event_types.html")]
struct EventTypes {
    page: Page,
    list: List<EventType>,
    profiles: Vec<Profile>,
    edit: Option<String>,
}

impl EventTypes {
    /// Returns the event type to change.
    fn edited(&self) -> Option<&EventType> {
        let name = self.edit.as_deref()?;
        self.list.data.iter().find(|one| one.name == name)
    }
}

async fn event_types(mut page: Page, Query(asked): Query<Asked>) -> Result<Html<String>, PageError> {
    let list = page.in_space(&format!("event-types?limit=50{}", cursor(&asked))).await?;
    let profiles = page.get::<List<Profile>>("/v1/profiles?limit=100").await?.data;
    html(&EventTypes { page, list, profiles, edit: asked.edit })
}

#[derive(askama::Template)]
#[template(path = "settings_plugin_keys.html")]
struct PluginKeys {
    page: Page,
    space: Space,
}

async fn plugin_keys(mut page: Page) -> Result<Html<String>, PageError> {
    let space = space(&mut page).await?;
    html(&PluginKeys { page, space })
}

#[derive(Deserialize)]
struct Quota {
    limit: Option<u64>,
    used: u64,
}

/// A group of limits with its members in words.
struct Group {
    title: &'static str,
    members: Vec<(String, String)>,
}

#[derive(askama::Template)]
#[template(path = "settings_limits.html")]
struct Limits {
    page: Page,
    quotas: Vec<(String, String, Quota)>,
    groups: Vec<Group>,
}

async fn limits(mut page: Page) -> Result<Html<String>, PageError> {
    let quotas: Map<String, Value> = page.in_space("quotas").await?;
    let quota =
        |(name, value): (String, Value)| Some((name.clone(), words(&name), serde_json::from_value(value).ok()?));
    let quotas = quotas.into_iter().filter_map(quota).collect();
    let limits: Map<String, Value> = page.get("/v1/limits").await?;
    let titles = [
        ("send", "Addresses and requests to receivers"),
        ("retention", "Retention by default"),
        ("accept", "Events and requests to this host"),
        ("plugin", "Plugins"),
    ];
    let group = |(name, title)| {
        let members = limits.get(name).and_then(Value::as_object).into_iter().flatten();
        Group { title, members: members.map(|(name, value)| (words(name), text(name, value))).collect() }
    };
    let groups = titles.into_iter().map(group).collect();
    html(&Limits { page, quotas, groups })
}

/// Returns a member's name in words, without the unit, which stands with the value: `Response body, at most`.
fn words(name: &str) -> String {
    let (name, most) = name.strip_suffix("_max").map_or((name, ""), |name| (name, ", at most"));
    let name = match name.strip_suffix("_per_s") {
        Some(name) => format!("{name}_per_second"),
        None => ["_ms", "_s", "_bytes"].iter().find_map(|unit| name.strip_suffix(unit)).unwrap_or(name).to_owned(),
    };
    let words = name.replace("answer", "response").replace('_', " ");
    let mut rest = words.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}{most}", rest.as_str())
}

fn text(name: &str, value: &Value) -> String {
    let unit = name.trim_end_matches("_max");
    match value {
        Value::Null => "no limit".to_owned(),
        Value::Array(all) if all.is_empty() => "none".to_owned(),
        Value::Array(all) => all
            .iter()
            .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Number(number) => match number.as_u64() {
            Some(n) if unit.ends_with("_bytes") => crate::show::bytes(n),
            Some(n) if unit.ends_with("_ms") => crate::show::millis(n as f64),
            Some(n) if unit.ends_with("_s") => crate::show::seconds(n),
            Some(n) => crate::show::number(n),
            None => number.to_string(),
        },
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[derive(Deserialize)]
struct Erasure {
    id: String,
    state: String,
    event: Option<String>,
    delivery: Option<String>,
    subscription: Option<String>,
    path: Option<String>,
    events_searched: u64,
    events_erased: u64,
    deliveries_erased: u64,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl Erasure {
    /// Returns what is erased, in words. What was erased is not kept.
    fn what(&self) -> String {
        let named = [
            ("event", &self.event),
            ("delivery", &self.delivery),
            ("deliveries of", &self.subscription),
            ("events with a value at", &self.path),
        ];
        let named = named.into_iter().find_map(|(kind, name)| Some(format!("{kind} {}", name.as_ref()?)));
        named.unwrap_or_else(|| "–".to_owned())
    }
}

#[derive(askama::Template)]
#[template(path = "settings_erasures.html")]
struct Erasures {
    page: Page,
    list: List<Erasure>,
}

async fn erasures(mut page: Page, Query(asked): Query<Asked>) -> Result<Html<String>, PageError> {
    let list = page.in_space(&format!("erasures?limit=50{}", cursor(&asked))).await?;
    html(&Erasures { page, list })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told_in_words_with_their_units() {
        let shown = [
            ("answer_body_bytes_max", 16_384),
            ("timeout_ms_max", 60_000),
            ("keep_days", 30),
            ("lookup_timeout_s", 10),
        ]
        .map(|(name, value)| format!("{}: {}", words(name), text(name, &value.into())));
        assert_eq!(
            shown,
            ["Response body, at most: 16.0 KiB", "Timeout, at most: 60.0 s", "Keep days: 30", "Lookup timeout: 10 s"]
        );
        assert_eq!(words("events_per_s"), "Events per second");
    }
}
