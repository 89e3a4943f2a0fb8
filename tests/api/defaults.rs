//! Defaults of a plugin's schema are filled into the configuration when a subscription is saved.

use serde_json::{Value, json};

use super::plugins::keep;
use super::{TestApi, assert_problem, subscription};

const SUBSCRIPTIONS: &str = "/v1/spaces/crm/subscriptions?allow_identical=true";

/// Saves a subscription with `config` for a plugin with this schema, and returns the configuration's text as shown.
async fn saved(schema: &str, config: &str) -> String {
    let api = TestApi::start().await;
    keep(&api, Some("crm"), "made", "1.0.0", serde_json::from_str(schema).unwrap()).await;
    let config: Value = serde_json::from_str(config).unwrap();
    let made = api.subscribe(json!({"plugin": {"name": "made", "config": config}})).await;
    made["plugin"]["config"].to_string()
}

#[tokio::test]
async fn what_is_absent_gets_its_default_and_what_is_there_stays() {
    let schema = r#"{"properties":{"a":{"default":12.50},"b":{"default":1e+400},"c":{"default":[{"d":null}]},"e":{}}}"#;
    assert_eq!(saved(schema, "{}").await, r#"{"a":12.50,"b":1e+400,"c":[{"d":null}]}"#);
    assert_eq!(saved(schema, r#"{"b":null,"z":1,"a":"x"}"#).await, r#"{"b":null,"z":1,"a":"x","c":[{"d":null}]}"#);
}

#[tokio::test]
async fn defaults_reach_into_objects_that_are_there_and_make_none() {
    let schema = r##"{"$defs":{"auth":{"properties":{"kind":{"default":"basic"}}}},
        "properties":{"auth":{"$ref":"#/$defs/auth"},"all":{"items":{"$ref":"#/$defs/auth"}},
            "retry":{"default":{},"properties":{"max":{"default":3}}}}}"##;
    assert_eq!(saved(schema, "{}").await, r#"{"retry":{"max":3}}"#);
    assert_eq!(
        saved(schema, r#"{"auth":{},"all":[{},{"kind":"none"},7]}"#).await,
        r#"{"auth":{"kind":"basic"},"all":[{"kind":"basic"},{"kind":"none"},7],"retry":{"max":3}}"#
    );
}

#[tokio::test]
async fn a_configuration_must_fit_with_its_defaults_in_it() {
    let api = TestApi::start().await;
    let schema = json!({"properties": {"a": {"default": "x", "type": "number"}}, "required": ["a"]});
    keep(&api, Some("crm"), "made", "1.0.0", schema).await;
    let save = |config: Value| {
        api.admin.post(SUBSCRIPTIONS, subscription(json!({"plugin": {"name": "made", "config": config}})))
    };
    assert_problem(&save(json!({})).await, 422, "field_invalid", Some("/plugin/config/a"));
    assert_eq!(save(json!({"a": 1})).await.expect(201)["plugin"]["config"], json!({"a": 1}));
}

#[tokio::test]
async fn defaults_without_end_are_refused() {
    let api = TestApi::start().await;
    for (version, schema) in [
        // Each object contains two of the same schema.
        ("1.0.0", json!({"properties": {"a": {"$ref": "#", "default": {}}, "b": {"$ref": "#", "default": {}}}})),
        ("1.0.1", json!({"properties": {"a": {"default": "x".repeat(256 << 10)}}})),
    ] {
        keep(&api, Some("crm"), "made", version, schema).await;
        let plugin = json!({"name": "made", "version": version});
        let answer = api.admin.post(SUBSCRIPTIONS, subscription(json!({"plugin": plugin}))).await;
        assert_problem(&answer, 422, "field_invalid", Some("/plugin/config"));
    }
    // Circular references.
    keep(&api, Some("crm"), "made", "1.0.2", json!({"$defs": {"a": {"$ref": "#/$defs/a"}}})).await;
    api.subscribe(json!({"plugin": {"name": "made", "version": "1.0.2"}})).await;
}

#[tokio::test]
async fn a_default_that_is_taken_out_comes_back() {
    let api = TestApi::start().await;
    keep(&api, Some("crm"), "made", "1.0.0", json!({"properties": {"a": {"default": 1}, "b": {"default": 2}}})).await;
    let made = api.subscribe(json!({"plugin": {"name": "made", "config": {"a": 7, "b": 8}}})).await;
    let path = format!("/v1/spaces/crm/subscriptions/{}", made["id"].as_str().unwrap());
    let patch = json!({"plugin": {"config": {"a": null}}});
    let changed = api.admin.patch(&path, patch).await.expect(200);
    assert_eq!(changed["plugin"]["config"], json!({"b": 8, "a": 1}));
}
