//! The API description itself.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use super::TestApi;

/// Requirements of OpenAPI 3.1 on the parts that the description uses.
fn structure() -> Value {
    json!({
        "type": "object",
        "required": ["openapi", "info", "paths", "components", "security"],
        "properties": {
            "openapi": {"pattern": "^3\\.1\\.\\d+$"},
            "info": {
                "required": ["title", "version"],
                "properties": {"title": {"type": "string"}, "version": {"type": "string"}}
            },
            "components": {
                "properties": {
                    "schemas": {"additionalProperties": {"$ref": "https://json-schema.org/draft/2020-12/schema"}},
                    "securitySchemes": {"additionalProperties": {"required": ["type"]}}
                }
            },
            "paths": {"patternProperties": {"^/": {
                "propertyNames": {"enum": ["get", "put", "post", "delete", "patch"]},
                "additionalProperties": {"$ref": "#/$defs/operation"}
            }}, "additionalProperties": false}
        },
        "$defs": {
            "operation": {
                "required": ["operationId", "summary", "tags", "responses"],
                "properties": {
                    "parameters": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/parameter"}},
                    "requestBody": {
                        "required": ["content"],
                        "properties": {"content": {"$ref": "#/$defs/content"}}
                    },
                    "responses": {
                        "minProperties": 2,
                        "propertyNames": {"pattern": "^[2-5][0-9][0-9]$"},
                        "additionalProperties": {
                            "required": ["description"],
                            "properties": {"content": {"$ref": "#/$defs/content"}}
                        }
                    }
                }
            },
            "parameter": {
                "required": ["name", "in", "schema"],
                "properties": {
                    "name": {"type": "string"},
                    "in": {"enum": ["path", "query", "header"]},
                    "schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"}
                },
                "if": {"properties": {"in": {"const": "path"}}},
                "then": {"required": ["required"], "properties": {"required": {"const": true}}}
            },
            "content": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {
                    "required": ["schema"],
                    "properties": {"schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}
                }
            }
        }
    })
}

#[test]
fn the_committed_description_is_what_the_program_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_hookmill")).arg("openapi").output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    let committed = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json")).unwrap();
    assert!(printed.stdout == committed, "openapi.json is out of date: run `cargo run -- openapi > openapi.json`");
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                found.insert(reference.to_owned());
            }
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_description_is_valid_openapi_3_1_without_dangling_references() {
    let api = TestApi::start().await;
    let document = &*api.admin.document;
    let errors: Vec<_> = jsonschema::draft202012::new(&structure())
        .unwrap()
        .iter_errors(document)
        .map(|err| format!("{}: {err}", err.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());

    let mut found = BTreeSet::new();
    references(document, &mut found);
    let dangling: Vec<_> = found.iter().filter(|found| document.pointer(&found[1..]).is_none()).collect();
    assert_eq!(dangling, Vec::<&String>::new());
}

#[tokio::test]
async fn each_operation_has_a_unique_id_and_the_parameters_of_its_path() {
    let api = TestApi::start().await;
    let mut names = BTreeSet::new();
    for (path, item) in api.admin.document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let declared: BTreeSet<_> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
                .collect();
            let named = path.split('/').filter(|segment| segment.starts_with('{')).map(str::to_owned).collect();
            assert_eq!(declared, named, "{method} {path}");
        }
    }
    assert!(names.len() >= 35, "{names:?}");
}

#[tokio::test]
async fn no_fixed_path_hides_a_name() {
    let api = TestApi::start().await;
    let paths: Vec<Vec<_>> =
        api.admin.document["paths"].as_object().unwrap().keys().map(|path| path.split('/').collect()).collect();
    let is_name = |segment: &str| segment.starts_with('{');
    for (fixed, named) in paths.iter().flat_map(|fixed| paths.iter().map(move |named| (fixed, named))) {
        let differ = fixed.iter().zip(named).position(|(a, b)| a != b);
        let hides = differ.is_some_and(|at| !is_name(fixed[at]) && is_name(named[at]));
        // `preview` is not a valid version.
        assert!(!hides || fixed.last() == Some(&"preview"), "{} hides {}", fixed.join("/"), named.join("/"));
    }
}

#[tokio::test]
async fn description_health_and_metrics_need_no_key() {
    let api = TestApi::start().await;
    let nobody = api.admin.without_key();
    assert_eq!(nobody.get("/healthz").await.status, 200);
    assert_eq!(nobody.get("/readyz").await.status, 200);
    let metrics = nobody.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text.contains("hookmill_backlog{state=\"pending\"} 0"), "{}", metrics.text);
    assert!(metrics.text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_limits_are_those_in_force() {
    let api = TestApi::with(|config| {
        config.accept.event_bytes_max = 77;
        config.send.allow_networks.push("10.1.0.0/16".parse().unwrap());
        config.send.deny_networks.push("fd00::/8".parse().unwrap());
        config.send.deny_ports = vec![25, 6379];
        config.retention.keep_days = 7;
    })
    .await;
    let limits = api.with_role("produce").await.get("/v1/limits").await.expect(200);
    assert_eq!(limits["accept"]["event_bytes_max"], 77);
    assert_eq!(limits["plugin"]["fuel_base"], api.host.config.plugin.fuel_base);
    for (name, value) in [
        ("allow_networks", json!(["10.1.0.0/16"])),
        ("deny_networks", json!(["fd00::/8"])),
        ("deny_ports", json!([25, 6379])),
        ("timeout_ms_max", json!(60_000)),
        ("lookup_timeout_s", json!(10)),
        ("in_flight_per_subscription_max", json!(64)),
    ] {
        assert_eq!(limits["send"][name], value, "{name}");
    }
    assert_eq!(limits["retention"], json!({"keep_days": 7, "keep_bytes": null}));
}
