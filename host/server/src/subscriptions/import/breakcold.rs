//! Breakcold: webhook endpoints of either generation.

use serde_json::{Map, Value, json};

use super::common::host_of;
use super::foreign::ForeignDefinition;
use crate::subscriptions::profile;

/// See [`super::breakcold()`].
pub(super) fn convert(definition: &mut ForeignDefinition<'_>) -> Result<Map<String, Value>, String> {
    let profile = profile::find("breakcold").expect("it is one of the profiles");
    let mut body = Map::new();
    let url = definition.url(&["url", "endpoint", "endpointurl", "webhookurl"])?;
    let name = definition.text(&["name", "title"]);
    definition.called(name, format!("Breakcold to {}", host_of(&url)), &mut body);
    if let Some(description) = definition.text(&["description"]) {
        definition.described(&description, &mut body);
    }
    body.insert("profile".to_owned(), "breakcold".into());
    let generation = generation(definition)?;
    body.insert("generation".to_owned(), generation.into());
    body.insert("url".to_owned(), url.into());
    let events = events(definition);
    body.insert("event_types".to_owned(), definition.events(&events, profile)?.into());
    // Each body contains the workspace.
    if let Some(space) = definition.text(&["workspaceid", "idspace", "spaceid"]) {
        let config = json!({"generation": generation, "id_space": space});
        body.insert("plugin".to_owned(), json!({"name": "breakcold", "config": config}));
    }
    if let Some(secret) = definition.secret(&["secret", "signingsecret"]) {
        body.insert("secret".to_owned(), secret.into());
    }
    let paused = definition.flag(&["ispaused", "paused", "isdisabled", "disabled"]);
    let active = definition.flag(&["active", "isactive", "enabled", "isenabled", "status"]);
    if paused == Some(true) || active == Some(false) {
        definition.make_draft();
    }
    Ok(body)
}

/// Returns the generation: as stated, or by the members that only the newer one has.
fn generation(definition: &mut ForeignDefinition<'_>) -> Result<u32, String> {
    let newer = definition.has(&["workspaceid", "objecttypes", "objecttype", "signingsecret"]);
    match definition.text(&["generation"]).as_deref() {
        None => Ok(if newer { 2 } else { 1 }),
        Some("1") => Ok(1),
        Some("2") => Ok(2),
        Some(other) => Err(format!("unknown generation `{}`: expected 1 or 2", other.escape_debug())),
    }
}

/// Returns the events; only those of the selected object types, if any are selected.
fn events(definition: &mut ForeignDefinition<'_>) -> Vec<String> {
    let events = definition.texts(&["events", "eventtypes", "event"]);
    let objects = definition.texts(&["objecttypes", "objecttype"]);
    let about = |event: &str| event.split('.').next().is_some_and(|object| objects.contains(&object));
    if objects.is_empty() {
        events.into_iter().map(str::to_owned).collect()
    } else if events.is_empty() || events == ["*"] {
        objects.iter().map(|object| format!("{object}.*")).collect()
    } else {
        events.into_iter().filter(|event| about(event)).map(str::to_owned).collect()
    }
}
