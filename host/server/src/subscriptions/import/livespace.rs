//! Livespace: subscriptions (name, URL, events) and workflows (trigger, condition, effect).

use hookmill_model::FieldSelection;
use serde_json::{Map, Value, json};

use super::common::{host_of, is_one_of};
use super::foreign::ForeignDefinition;
use crate::stages::select::Selector;
use crate::subscriptions::profile;

/// A workflow watches the fields of a deal, whichever event reports them.
const ANY_DEAL_EVENT: &str = "deal.*";
const STATUS_CHANGED: &str = "deal.status_changed";
const PROCESS: [&str; 3] = ["process", "salesprocess", "pipeline"];

/// See [`super::livespace()`].
pub(super) fn convert(definition: &mut ForeignDefinition<'_>) -> Result<Map<String, Value>, String> {
    let profile = profile::find("livespace").expect("it is one of the profiles");
    let mut body = Map::new();
    let name = definition.text(&["name", "title"]);
    let url = match definition.inner(&["effect", "effects", "action", "actions"], effect) {
        Some(url) => url?,
        None => definition.url(&["url", "endpoint", "endpointurl"])?,
    };
    definition.called(name, format!("Livespace to {}", host_of(&url)), &mut body);
    if let Some(description) = definition.text(&["description"]) {
        definition.described(&description, &mut body);
    }
    body.insert("profile".to_owned(), "livespace".into());
    body.insert("url".to_owned(), url.into());
    if let Some(members) = definition.inner(&["trigger", "triggers"], trigger) {
        body.extend(members.ok_or("unknown trigger: expected a field or a change of status")?);
    } else {
        let given = definition.texts(&["events", "eventtypes", "event", "triggers", "trigger"]);
        body.insert("event_types".to_owned(), definition.events(&given, profile)?.into());
    }
    condition(definition, &mut body);
    fields(definition, &mut body);
    if let Some(secret) = definition.secret(&["secret"]) {
        body.insert("secret".to_owned(), secret.into());
    }
    if definition.flag(&["active", "isactive", "enabled", "status"]) == Some(false) {
        definition.make_draft();
    }
    Ok(body)
}

/// Returns the URL of a workflow's effect, which must be sending data.
fn effect(effect: &mut ForeignDefinition<'_>) -> Result<String, String> {
    match effect.text(&["type"]) {
        Some(kind) if !["webhook", "send_data", "send data"].contains(&kind.to_ascii_lowercase().as_str()) => {
            Err(format!("the effect `{}` does not send data", kind.escape_debug()))
        }
        _ => effect.url(&["url", "endpoint", "endpointurl"]),
    }
}

/// Converts the trigger of a workflow to members of a subscription; none if it is of another kind.
fn trigger(trigger: &mut ForeignDefinition<'_>) -> Option<Map<String, Value>> {
    let kind = trigger.text(&["type"]).unwrap_or_default();
    let fields = trigger.texts(&["fields", "field"]);
    const FIELD_TRIGGERS: [&str; 6] =
        ["", "field", "field_changed", "field_filled", "field_updated", "field_completed"];
    if !fields.is_empty() && !FIELD_TRIGGERS.contains(&kind.to_ascii_lowercase().as_str()) {
        return None;
    }
    if !fields.is_empty() {
        return Some(members(ANY_DEAL_EVENT, Some(json!({"fields": fields}))));
    }
    let status = trigger.inner(&["status"], from_to).unwrap_or_else(|| from_to(trigger));
    match status.len() {
        // Any change of status: the event type says so.
        1 => kind.to_ascii_lowercase().contains("status").then(|| members(STATUS_CHANGED, None)),
        _ => Some(members(STATUS_CHANGED, Some(json!({"status": status})))),
    }
}

fn members(event: &str, trigger: Option<Value>) -> Map<String, Value> {
    let mut members = Map::from_iter([("event_types".to_owned(), json!([event]))]);
    members.extend(trigger.map(|trigger| ("trigger".to_owned(), trigger)));
    members
}

fn from_to(members: &mut ForeignDefinition<'_>) -> Map<String, Value> {
    let mut status = Map::from_iter([("field".to_owned(), "status".into())]);
    for side in ["from", "to"] {
        if let Some(value) = members.text(&[side]) {
            status.insert(side.to_owned(), value.into());
        }
    }
    status
}

/// Sets the condition for the selected sales processes.
fn condition(definition: &mut ForeignDefinition<'_>, body: &mut Map<String, Value>) {
    const NAMES: [&str; 2] = ["condition", "conditions"];
    let had = definition.has(&NAMES);
    match definition.inner(&NAMES, process).flatten() {
        Some(condition) => _ = body.insert("condition".to_owned(), condition.into()),
        None if had => definition.doubt("the condition does not select sales processes and was ignored"),
        None => {}
    }
}

fn process(condition: &mut ForeignDefinition<'_>) -> Option<String> {
    const KINDS: [&str; 5] = ["process", "process_is", "sales_process", "sales process", "in_process"];
    if condition.text(&["type"]).is_some_and(|kind| !KINDS.contains(&kind.to_ascii_lowercase().as_str())) {
        return None;
    }
    let (ids, names) =
        condition.inner(&PROCESS, |process| (process.list(&["id"]), process.list(&["name"]))).unwrap_or_else(|| {
            (condition.list(&["processid", "processids"]), condition.list(&["processname", "processnames"]))
        });
    // The id identifies the process; the name next to it is for people.
    let (path, values) = if ids.is_empty() { ("process.name", names) } else { ("process.id", ids) };
    is_one_of(path, &values.into_iter().cloned().collect::<Vec<_>>())
}

/// Sets the included fields.
fn fields(definition: &mut ForeignDefinition<'_>, body: &mut Map<String, Value>) {
    let mut include = Vec::new();
    for name in definition.texts(&["fields", "includeddata", "include"]) {
        let path = path(name);
        let alone = FieldSelection { include: vec![path.clone()], exclude: Vec::new() };
        match Selector::compile(&alone) {
            Ok(_) => include.push(path),
            Err(right) => definition.doubt(&format!("the field `{}` was ignored: {right}", name.escape_debug())),
        }
    }
    if !include.is_empty() {
        body.insert("fields".to_owned(), json!({"include": include}));
    }
}

/// Returns the JSONPath of `custom_fields.invoice_email`. In double quotes a name is written as in JSON.
fn path(name: &str) -> String {
    let steps = name.split('.').map(|step| format!("[{}]", Value::from(step)));
    steps.fold("$".to_owned(), |path, step| path + &step)
}
