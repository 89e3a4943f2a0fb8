//! Plugins: the list, and a plugin with its versions, its configuration and the subscriptions that use it.

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Html;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::variants::{Comparison, Shadow};
use crate::Pages;
use crate::address::segment;
use crate::page::{List, Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}/plugins", get(list)).route("/s/{space}/plugins/{name}", get(one))
}

/// A version of a plugin.
#[derive(Deserialize)]
pub(super) struct Plugin {
    pub(super) name: String,
    pub(super) version: String,
    digest: String,
    bundled: bool,
    summary: String,
    content_types: Vec<String>,
    pub(super) config_schema: Value,
    size_bytes: u64,
    source: Option<String>,
    created_at: Timestamp,
    usage: Usage,
}

/// The use of a plugin in the last 15 minutes.
#[derive(Deserialize)]
struct Usage {
    subscriptions: u64,
    transforms: u64,
    failures: u64,
    p95_ms: Option<f64>,
    p95_fuel: Option<u64>,
    fuel_limit: u64,
}

/// The members of a space that concern plugins.
#[derive(Deserialize)]
struct Signers {
    plugin_keys: Vec<String>,
}

#[derive(askama::Template)]
#[template(path = "plugins.html")]
struct ListView {
    page: Page,
    list: List<Plugin>,
    signers: Vec<String>,
}

async fn list(mut page: Page) -> Result<Html<String>, PageError> {
    let cursor = page.address.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
    let list = page.in_space(&format!("plugins{cursor}")).await?;
    let space = format!("/v1/spaces/{}", page.space);
    let Signers { plugin_keys: signers } = page.get(&space).await?;
    html(&ListView { page, list, signers })
}

/// What a plugin's page shows besides its versions.
#[derive(Deserialize)]
struct Shown {
    /// The version whose configuration is shown; the newest by default.
    version: Option<String>,
    /// The subscription whose shadow's differences are shown.
    shadow: Option<String>,
    /// The subscription that is compared with `with` on stored events.
    compare: Option<String>,
    /// The version to compare with.
    with: Option<String>,
    /// The next page of versions.
    cursor: Option<String>,
    /// The next page of subscriptions.
    users: Option<String>,
}

/// A subscription that uses the plugin.
#[derive(Deserialize)]
struct User {
    id: String,
    name: String,
    state: String,
    plugin: Option<Used>,
    plugin_history: Vec<Earlier>,
    shadow: Option<Used>,
    plugin_failures: u64,
}

#[derive(Deserialize)]
struct Used {
    version: String,
    follows: Option<String>,
    held_back: Option<String>,
}

#[derive(Deserialize)]
struct Earlier {
    name: String,
    version: String,
}

/// A member of a configuration, as its schema describes it.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) required: bool,
    pub(super) description: String,
    pub(super) default: Option<String>,
}

#[derive(askama::Template)]
#[template(path = "plugin.html")]
struct View {
    page: Page,
    plugin: Plugin,
    versions: List<Plugin>,
    members: Vec<Member>,
    schema: String,
    users: List<User>,
    shadow: Option<(String, Shadow)>,
    comparison: Option<(String, String, Comparison)>,
    problem: Option<String>,
}

async fn one(
    mut page: Page,
    Path((_, name)): Path<(String, String)>,
    Query(shown): Query<Shown>,
) -> Result<Html<String>, PageError> {
    let path = format!("plugins/{}", segment(&name));
    let versions: List<Plugin> = page.in_space(&format!("{path}?limit=50{}", cursor(shown.cursor.as_deref()))).await?;
    let version = shown.version.as_deref().or(versions.data.first().map(|newest| newest.version.as_str()));
    let version =
        version.ok_or_else(|| PageError::not_found(&format!("There is no plugin “{name}” in this space.")))?;
    let plugin: Plugin = page.in_space(&format!("{path}/{}", segment(version))).await?;
    let of = format!("subscriptions?plugin={}&limit=50{}", segment(&name), cursor(shown.users.as_deref()));
    let users: List<User> = page.in_space(&of).await?;
    let named = |id: &str| users.data.iter().find(|user| user.id == id).map_or(id, |user| &user.name).to_owned();
    let shadow = match &shown.shadow {
        Some(id) => Some((named(id), page.in_space(&format!("subscriptions/{}/shadow", segment(id))).await?)),
        None => None,
    };
    let (mut comparison, mut problem) = (None, None);
    if let (Some(id), Some(with)) = (&shown.compare, &shown.with) {
        match page.post(&format!("subscriptions/{}/compare", segment(id)), version_body(with)).await {
            Ok(compared) => comparison = Some((named(id), with.clone(), compared)),
            Err(refused) => problem = Some(refused.detail),
        }
    }
    let (members, schema) = (members(&plugin.config_schema), format!("{:#}", plugin.config_schema));
    html(&View { page, plugin, versions, members, schema, users, shadow, comparison, problem })
}

/// Returns the API's path of a version.
pub(crate) fn path(space: &str, name: &str, version: &str) -> String {
    format!("/v1/spaces/{space}/plugins/{}/{}", segment(name), segment(version))
}

/// Returns the API's path of a subscription.
pub(crate) fn at(space: &str, subscription: &str) -> String {
    format!("/v1/spaces/{space}/subscriptions/{subscription}")
}

/// Returns a body that names a version.
pub(crate) fn version_body(version: &str) -> String {
    serde_json::json!({"version": version}).to_string()
}

fn cursor(cursor: Option<&str>) -> String {
    cursor.map_or_else(String::new, |cursor| format!("&cursor={}", segment(cursor)))
}

/// Returns the members at the top of a schema.
pub(super) fn members(schema: &Value) -> Vec<Member> {
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let properties = schema["properties"].as_object();
    let member = |(name, of): (&String, &Value)| Member {
        name: name.clone(),
        kind: kind(schema, of),
        required: required(name),
        description: of["description"].as_str().unwrap_or_default().to_owned(),
        default: of.get("default").map(ToString::to_string),
    };
    properties.into_iter().flatten().map(member).collect()
}

/// Returns the type of a member: `text`, `one of "a", "b"`, `list of text`.
fn kind(schema: &Value, of: &Value) -> String {
    let at = of["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    let of = at.and_then(|pointer| schema.pointer(pointer)).unwrap_or(of);
    if let Some(values) = of["enum"].as_array() {
        return format!("one of {}", values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    }
    let name = |kind: &str| match kind {
        "string" => "text".to_owned(),
        "boolean" => "true or false".to_owned(),
        "object" => "object".to_owned(),
        "array" => match of["items"]["type"].as_str() {
            Some("string") => "list of texts".to_owned(),
            Some(items) => format!("list of {items}s"),
            None => "list".to_owned(),
        },
        other => other.to_owned(),
    };
    match &of["type"] {
        Value::String(kind) => name(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).map(name).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schemas_members_are_told_in_words() {
        let schema = serde_json::json!({
            "properties": {
                "a": {"type": "string", "description": "An a"},
                "b": {"enum": ["x", "y"], "default": "x"},
                "c": {"$ref": "#/$defs/list"},
                "d": {"type": ["boolean", "null"]},
            },
            "required": ["a"],
            "$defs": {"list": {"type": "array", "items": {"type": "string"}}},
        });
        let members = members(&schema);
        let kinds: Vec<_> = members.iter().map(|member| member.kind.as_str()).collect();
        assert_eq!(kinds, ["text", r#"one of "x", "y""#, "list of texts", "true or false or null"]);
        assert_eq!((members[0].required, members[1].required), (true, false));
        assert_eq!(members[1].default.as_deref(), Some("\"x\""));
    }
}
