//! The OpenAPI document: made from the handlers, and completed with what all of them share.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::problem::{PROBLEM_JSON, Problem};

/// What the document says beside the paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookmill",
        description = "Post an event, and every subscription gets it in its own shape.\n\nTimes are RFC 3339 in UTC. \
            Lists come in pages: `next_cursor` of one page is the `cursor` of the next. Problems are RFC 9457 with a \
            stable `code`.",
        contact(name = "The maintainers of Hookmill")
    ),
    servers((url = "/", description = "The host that serves this description.")),
    tags(
        (name = "deliveries", description = "Events on their way to a subscription, with every attempt."),
        (name = "event types", description = "What a space documents about its events."),
        (name = "events", description = "What happened, as posted by a producer."),
        (name = "host", description = "The host itself: health, metrics and limits."),
        (name = "keys", description = "API keys and their roles."),
        (name = "plugins", description = "WebAssembly components that shape requests."),
        (name = "profiles", description = "How each CRM sends its webhooks: defaults for subscriptions, and its catalog of events."),
        (name = "spaces", description = "Tenants. Everything but keys, profiles and limits belongs to one."),
        (name = "subscriptions", description = "Which events go where, in which shape.")
    ),
    security(("key" = [])),
    components(schemas(Problem))
)]
pub(crate) struct Document;

/// The parameters of paths.
const PARAMETERS: [(&str, &str); 9] = [
    ("space", "A space's id."),
    ("key", "A key's id, `key_…`."),
    ("profile", "A profile's name, `livespace`."),
    ("event_type", "An event type, `lead.created`."),
    ("subscription", "A subscription's id, `sub_…`."),
    ("plugin", "A plugin's name."),
    ("version", "A plugin's version."),
    ("event", "An event's id."),
    ("delivery", "A delivery's id, `dlv_…`."),
];

/// Completes the description that the handlers contribute.
pub(crate) fn complete(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).expect("the description has only strings as keys");
    document["components"]["securitySchemes"] =
        json!({"key": {"type": "http", "scheme": "bearer", "description": "An API key, `hmk_…`."}});
    let schemas = &mut document["components"]["schemas"];
    let mut patch = patch_of(&schemas["SubscriptionInput"], "A change of a subscription.");
    let members = patch["properties"].as_object_mut();
    members.map(|members| CREATION_ONLY.map(|member| members.shift_remove(member)));
    patch["properties"]["plugin"]["oneOf"][0]["$ref"] = json!("#/components/schemas/PluginPatch");
    schemas["PluginPatch"] = patch_of(&schemas["PluginInput"], "A change of a subscription's plugin.");
    schemas["SubscriptionPatch"] = patch;
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.iter_mut());
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flat_map(Map::iter_mut) {
            complete_operation(path, method, operation);
        }
    }
    document
}

/// Members that a subscription gets when it is created, and keeps.
const CREATION_ONLY: [&str; 3] = ["profile", "generation", "state"];

/// The schema of a change: the members of the input, none of which must be there.
fn patch_of(input: &Value, description: &str) -> Value {
    let mut patch = input.clone();
    patch.as_object_mut().map(|patch| patch.shift_remove("required"));
    patch["description"] = json!(description);
    patch
}

fn complete_operation(path: &str, method: &str, operation: &mut Value) {
    let named = PARAMETERS.into_iter().filter(|(name, _)| path.contains(&format!("{{{name}}}")));
    let mut parameters: Vec<_> = named.map(|(name, description)| path_parameter(name, description)).collect();
    parameters.extend(operation["parameters"].as_array().cloned().unwrap_or_default());
    if parameters.is_empty() {
        operation.as_object_mut().map(|operation| operation.shift_remove("parameters"));
    } else {
        operation["parameters"] = Value::Array(parameters);
    }
    let contents = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
    for content in contents.into_iter().flat_map(Map::values_mut) {
        // A body that is optional is left out; null is none.
        if let Some(schema) = content["schema"].get_mut("oneOf").map(|variants| variants[0].take()) {
            content["schema"] = schema;
        }
        if method == "patch" && path.contains("{subscription}") {
            content["schema"] = json!({"$ref": "#/components/schemas/SubscriptionPatch"});
        }
    }
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        // Must be there, and is empty where the handler says nothing of its own.
        if response.get("description").is_none_or(|description| description == "") {
            let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
            response["description"] = json!(status.and_then(|status| status.canonical_reason()));
        }
    }
    for (status, description) in problems(path, operation) {
        let responses = &mut operation["responses"];
        if responses.get(status).is_none() {
            let schema = json!({"$ref": "#/components/schemas/Problem"});
            responses[status] = json!({"description": description, "content": {PROBLEM_JSON: {"schema": schema}}});
        }
    }
}

fn path_parameter(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "path", "description": description, "required": true, "schema": {"type": "string"}})
}

/// The problems that an operation may be answered with beside those that its handler names.
fn problems(path: &str, operation: &Value) -> Vec<(&'static str, &'static str)> {
    let mut problems = vec![("500", "internal")];
    if operation.get("security").is_none() {
        problems.push(("401", "unauthenticated"));
        problems.push(("503", "unavailable"));
        // What any key is allowed to read.
        if path != "/v1/limits" && !path.starts_with("/v1/profiles") {
            problems.push(("403", "forbidden"));
        }
    }
    let body = operation.get("requestBody").is_some();
    if body || operation.get("parameters").is_some() {
        problems.push(("400", "json_invalid or parameter_invalid"));
    }
    if path.contains('{') {
        problems.push(("404", "not_found"));
    }
    if body {
        problems.push(("413", "too_large"));
        problems.push(("415", "content_type_unsupported"));
        problems.push((
            "422",
            "field_invalid, field_missing, field_unknown, plugin_refused, plugin_unsigned or plugin_pull_failed",
        ));
    }
    problems
}
