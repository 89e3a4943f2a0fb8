//! The API description (OpenAPI 3.1): derived from the handlers, and completed with what all operations share.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::formats;
use super::problem::{PROBLEM_JSON, Problem};

/// The parts of the description other than paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookmill",
        description = "Posts events and delivers them to subscriptions, each in its own shape.\n\nTimes are RFC 3339 in \
            UTC. Lists are paginated: the `next_cursor` of a page is the `cursor` of the next. Errors are problem \
            details (RFC 9457) with a stable `code`.",
        contact(name = "The maintainers of Hookmill")
    ),
    servers((url = "/", description = "The host that serves this description")),
    tags(
        (name = "deliveries", description = "Deliveries of events to subscriptions, and their attempts."),
        (name = "erasures", description = "Deletion of history, of which nothing can be read back."),
        (name = "event types", description = "Documentation of a space's events."),
        (name = "events", description = "Events posted by producers."),
        (name = "host", description = "Health, metrics and limits of the host."),
        (name = "keys", description = "API keys and their roles."),
        (name = "plugins", description = "WebAssembly components that transform events into requests."),
        (name = "profiles", description = "Webhooks of CRMs: defaults for subscriptions, and catalogs of event types."),
        (name = "replays", description = "What a space received, or what failed, sent to a subscription."),
        (name = "spaces", description = "Tenants. Everything except keys, profiles and limits belongs to a space."),
        (name = "subscriptions", description = "Routes of events: which events are sent, where, and in which shape.")
    ),
    security(("key" = [])),
    components(schemas(Problem))
)]
pub(crate) struct Document;

/// Path parameters and their descriptions.
const PARAMETERS: [(&str, &str); 12] = [
    ("space", "Id of the space."),
    ("key", "Id of the key, `key_…`."),
    ("profile", "Name of the profile, such as `livespace`."),
    ("event_type", "Event type, such as `lead.created`."),
    ("subscription", "Id of the subscription, `sub_…`."),
    ("plugin", "Name of the plugin."),
    ("version", "Version of the plugin."),
    ("event", "Id of the event."),
    ("delivery", "Id of the delivery, `dlv_…`."),
    ("number", "Number of the attempt, from 1."),
    ("erasure", "Id of the erasure, `ers_…`."),
    ("replay", "Id of the replay, `rpl_…`."),
];

/// Completes the description that the handlers contribute.
pub(crate) fn complete(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).expect("the description has only strings as keys");
    document["components"]["securitySchemes"] =
        json!({"key": {"type": "http", "scheme": "bearer", "description": "An API key, `hmk_…`."}});
    let schemas = &mut document["components"]["schemas"];
    formats::complete(schemas);
    let mut patch = patch_of(&schemas["SubscriptionInput"], "Changes to a subscription.");
    let members = patch["properties"].as_object_mut();
    members.map(|members| CREATION_ONLY.map(|member| members.shift_remove(member)));
    patch["properties"]["plugin"]["oneOf"][0]["$ref"] = json!("#/components/schemas/PluginPatch");
    schemas["PluginPatch"] = patch_of(&schemas["PluginInput"], "Changes to a subscription's plugin.");
    schemas["SubscriptionPatch"] = patch;
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.iter_mut());
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flat_map(Map::iter_mut) {
            complete_operation(path, method, operation);
        }
    }
    document
}

/// Members that can be set only when a subscription is created.
const CREATION_ONLY: [&str; 3] = ["profile", "generation", "state"];

/// Returns the schema of a patch: the members of the input, none of them required.
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
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let form = parameter["name"].as_str().filter(|_| parameter["in"] == "query").and_then(formats::of_query);
        let members = form.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(schema) = parameter["schema"].as_object_mut() {
            schema.extend(members);
        }
    }
    let contents = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
    for content in contents.into_iter().flat_map(Map::values_mut) {
        // An optional body is described as a union with null, but a null body is invalid.
        if let Some(schema) = content["schema"].get_mut("oneOf").map(|variants| variants[0].take()) {
            content["schema"] = schema;
        }
        if method == "patch" && path.contains("{subscription}") {
            content["schema"] = json!({"$ref": "#/components/schemas/SubscriptionPatch"});
        }
    }
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        // OpenAPI requires a description; it is empty unless the handler has one.
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
    json!({"name": name, "in": "path", "description": description, "required": true, "schema": formats::of_path(name)})
}

/// Returns the error responses that the operation can have in addition to those that its handler declares.
fn problems(path: &str, operation: &Value) -> Vec<(&'static str, &'static str)> {
    let mut problems = vec![("500", "internal")];
    if operation.get("security").is_none() {
        problems.push(("401", "unauthenticated"));
        problems.push(("503", "unavailable"));
        // Any key is allowed to read these.
        if path != "/v1/limits" && !path.starts_with("/v1/profiles") {
            problems.push(("403", "forbidden"));
        }
    }
    let body = operation.get("requestBody").is_some();
    if body || operation.get("parameters").is_some() {
        problems.push(("400", if body { "json_invalid or parameter_invalid" } else { "parameter_invalid" }));
    }
    if path.contains('{') {
        problems.push(("404", "not_found"));
    }
    if body {
        problems.push(("413", "too_large"));
        problems.push(("415", "content_type_unsupported"));
        let unprocessable = match path {
            "/v1/spaces/{space}/plugins" => "plugin_refused or plugin_unsigned",
            "/v1/spaces/{space}/pull-plugin" => {
                "field_invalid, field_missing, field_unknown, plugin_refused, plugin_unsigned or plugin_pull_failed"
            }
            _ => "field_invalid, field_missing or field_unknown",
        };
        problems.push(("422", unprocessable));
    }
    problems
}
