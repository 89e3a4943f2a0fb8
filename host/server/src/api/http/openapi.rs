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
            stable `code`."
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

/// Completes the document that the handlers make.
pub(crate) fn complete(document: &utoipa::openapi::OpenApi) -> serde_json::Result<Value> {
    let mut document = serde_json::to_value(document)?;
    document["components"]["securitySchemes"] =
        json!({"key": {"type": "http", "scheme": "bearer", "description": "An API key, `hmk_…`."}});
    // A change takes the members of a new subscription, none of which must be there.
    let mut patch = document["components"]["schemas"]["SubscriptionInput"].clone();
    if let Some(patch) = patch.as_object_mut() {
        patch.remove("required");
        patch.insert("description".to_owned(), json!("A change of a subscription."));
    }
    document["components"]["schemas"]["SubscriptionPatch"] = patch;
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.iter_mut());
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flat_map(Map::iter_mut) {
            complete_operation(path, method, operation);
        }
    }
    Ok(document)
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
    if method == "patch" && path.contains("{subscription}") {
        for content in operation["requestBody"]["content"].as_object_mut().into_iter().flat_map(Map::values_mut) {
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
        if path != "/v1/limits" {
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
