//! The playground: what a plugin would send for an event, as one types.

use axum::Router;
use axum::extract::Query;
use axum::response::Html;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::plugins::{Member, Plugin, members};
use crate::Pages;
use crate::address::segment;
use crate::page::{List, Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}/playground", get(playground))
}

/// What is chosen.
#[derive(Deserialize)]
struct Shown {
    plugin: Option<String>,
    version: Option<String>,
    /// The version to compare with.
    other: Option<String>,
    /// `event:` and the id of a stored event, or `type:` and a type of the catalog, or `typed`.
    from: Option<String>,
}

/// A stored event, without its data in lists.
#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    occurred_at: Timestamp,
    // Exact: numbers keep their digits (`arbitrary_precision`), members their order.
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct EventType {
    name: String,
    example: Option<Value>,
}

#[derive(Deserialize)]
struct Limits {
    plugin: PluginLimits,
}

#[derive(Deserialize)]
struct PluginLimits {
    output_bytes_max: u64,
}

/// What one types for a plugin that runs a program.
struct Program {
    /// The member of the configuration that is the program.
    member: &'static str,
    label: &'static str,
    example: &'static str,
}

#[derive(askama::Template)]
#[template(path = "playground.html")]
struct View {
    page: Page,
    plugins: Vec<String>,
    plugin: String,
    version: String,
    other: String,
    versions: Vec<Plugin>,
    members: Vec<Member>,
    program: Option<Program>,
    events: Vec<Event>,
    types: Vec<EventType>,
    from: String,
    event: Event,
    data: String,
    output_bytes_max: u64,
}

impl View {
    /// Returns whether an event of this kind and name is chosen.
    fn is_from(&self, kind: &str, name: &str) -> bool {
        self.from.strip_prefix(kind).and_then(|rest| rest.strip_prefix(':')) == Some(name)
    }

    /// Returns whether a stored event is chosen that is not among the newest.
    fn is_older(&self) -> bool {
        self.from.starts_with("event:") && !self.events.iter().any(|event| event.id == self.event.id)
    }
}

/// Id of an event that is not stored: the same in each preview, so that two can be compared.
const UNSTORED: &str = "evt_01K9ZQ4S1N8M0V6T3X5B7C2D4E";

fn program(plugin: &str) -> Option<Program> {
    Some(match plugin {
        "jq" => Program { member: "program", label: "jq program", example: "{\n  type,\n  data: .data\n}" },
        "template" => Program {
            member: "json",
            label: "Jinja template of JSON",
            example: "{\n  \"type\": {{ event.type }},\n  \"data\": {{ data }}\n}",
        },
        "javascript" => Program {
            member: "code",
            label: "JavaScript",
            example: "function transform(delivery, config) {\n  const [event] = delivery.events;\n  \
                return { body: { json: { type: event.type, data: event.data } } };\n}",
        },
        _ => return None,
    })
}

async fn playground(mut page: Page, Query(shown): Query<Shown>) -> Result<Html<String>, PageError> {
    let listed: List<Plugin> = page.in_space("plugins?limit=100").await?;
    let mut plugins: Vec<_> = listed.data.into_iter().map(|plugin| plugin.name).collect();
    let first = plugins.iter().find(|name| *name == "jq").or(plugins.first()).cloned();
    let none = || PageError::not_found("This space has no plugin to try. Upload one on the page Plugins.");
    let plugin = shown.plugin.filter(|name| !name.is_empty()).or(first).ok_or_else(none)?;
    if !plugins.contains(&plugin) {
        plugins.insert(0, plugin.clone());
    }
    let path = format!("plugins/{}?limit=50", segment(&plugin));
    let versions = page.in_space::<List<Plugin>>(&path).await?.data;
    let known = |version: Option<String>| version.filter(|text| versions.iter().any(|one| one.version == *text));
    let newest = versions.first().ok_or_else(|| PageError::not_found("This plugin has no version."))?;
    let version = known(shown.version).unwrap_or_else(|| newest.version.clone());
    let other = known(shown.other).unwrap_or_default();
    let schema = versions.iter().find(|one| one.version == version).map_or(&Value::Null, |one| &one.config_schema);
    let members = members(schema);
    let events: Vec<Event> = page.in_space::<List<_>>("events?limit=20").await?.data;
    let types: Vec<EventType> = page.in_space::<List<_>>("event-types?limit=100").await?.data;
    let types: Vec<_> = types.into_iter().filter(|kind| kind.example.is_some()).collect();
    let stored = events.first().map(|event| format!("event:{}", event.id));
    let from = shown.from.or(stored).or(types.first().map(|kind| format!("type:{}", kind.name)));
    let from = from.unwrap_or_else(|| "typed".to_owned());
    let event = chosen(&mut page, &from, &types).await?;
    let data = format!("{:#}", event.data);
    let Limits { plugin: PluginLimits { output_bytes_max } } = page.get("/v1/limits").await?;
    let program = program(&plugin);
    html(&View {
        page,
        plugins,
        plugin,
        version,
        other,
        versions,
        members,
        program,
        events,
        types,
        from,
        event,
        data,
        output_bytes_max,
    })
}

/// Returns the event that is chosen.
async fn chosen(page: &mut Page, from: &str, types: &[EventType]) -> Result<Event, PageError> {
    if let Some(id) = from.strip_prefix("event:") {
        return page.in_space(&format!("events/{}", segment(id))).await;
    }
    let name = from.strip_prefix("type:").unwrap_or("lead.created");
    let example = types.iter().find(|kind| kind.name == name).and_then(|kind| kind.example.clone());
    let typed = || serde_json::json!({"id": 1, "name": "Ada Lovelace", "email": "ada@example.com"});
    Ok(Event {
        id: UNSTORED.to_owned(),
        kind: name.to_owned(),
        occurred_at: page.now,
        data: example.unwrap_or_else(typed),
    })
}
