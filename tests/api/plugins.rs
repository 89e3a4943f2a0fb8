//! Uploading, listing and choosing plugins.

use std::collections::BTreeMap;

use bytes::Bytes;
use hookmill_model::{Digest, Plugin, PluginName, PluginVersion, SpaceId};
use http::Method;
use serde_json::{Value, json};

use super::client::Answer;
use super::{TestApi, assert_problem, subscription};

const PLUGINS: &str = "/v1/spaces/crm/plugins";

/// Stores a plugin for tests that do not run it; its bytes are not a component.
pub async fn keep(api: &TestApi, space: Option<&str>, name: &str, version: &str, config_schema: Value) -> Digest {
    let component = Bytes::from(format!("{space:?} {name} {version}"));
    let plugin = Plugin {
        space: space.map(|space| SpaceId::parse(space).unwrap()),
        name: PluginName::parse(name).unwrap(),
        version: PluginVersion::parse(version).unwrap(),
        digest: Digest::of(&component),
        summary: "For tests".to_owned(),
        content_types: vec!["application/json".to_owned()],
        config_schema,
        size_bytes: component.len() as u64,
        source: None,
        created_at: api.host.clock.now(),
    };
    assert!(api.host.store.put_plugin(&plugin, component).await.unwrap());
    plugin.digest
}

async fn use_plugin(api: &TestApi, plugin: Value) -> Answer {
    api.admin.post("/v1/spaces/crm/subscriptions?allow_identical=true", subscription(json!({"plugin": plugin}))).await
}

#[tokio::test]
async fn bytes_that_are_not_a_component_are_refused_and_not_stored() {
    let api = TestApi::with(|config| config.plugin.component_bytes_max = 1_000).await;
    let upload = |bytes: Vec<u8>| api.admin.send(Method::POST, PLUGINS, Some("application/wasm"), bytes);
    assert_problem(&upload(b"not wasm".to_vec()).await, 422, "plugin_refused", None);
    assert_problem(&upload(b"\0asm\x01\0\0\0".to_vec()).await, 422, "plugin_refused", None);
    assert_problem(&upload(vec![0; 1_001]).await, 413, "too_large", None);
    let kept = api.admin.get(PLUGINS).await.expect(200);
    assert!(kept["data"].as_array().unwrap().iter().all(|plugin| plugin["bundled"] == true), "{}", kept);
}

#[tokio::test]
async fn a_component_is_uploaded_once_and_never_changes() {
    let api = TestApi::start().await;
    let upload = |bytes: &[u8]| api.admin.send(Method::POST, PLUGINS, Some("application/wasm"), bytes.to_vec());
    let made = upload(hookmill_guests::ROGUE).await.expect(201);
    let digest = Digest::of(hookmill_guests::ROGUE);
    assert_eq!((&made["name"], &made["version"]), (&json!("rogue"), &json!("1.0.0")));
    assert_eq!((&made["digest"], &made["bundled"]), (&json!(digest.to_string()), &json!(false)));
    assert_eq!(made["size_bytes"], hookmill_guests::ROGUE.len());
    assert_eq!(api.host.store.component(digest).await.unwrap().unwrap(), hookmill_guests::ROGUE);
    assert_eq!(upload(hookmill_guests::ROGUE).await.expect(200), made);

    // The same name and version, but another component: an added custom section has no effect.
    let other = [hookmill_guests::ROGUE, b"\0\x02\x01x"].concat();
    assert_problem(&upload(&other).await, 409, "plugin_version_exists", None);
    assert_eq!(api.admin.get(&format!("{PLUGINS}/rogue/1.0.0")).await.expect(200), made);
    assert_eq!(api.host.store.component(Digest::of(&other)).await.unwrap(), None);
    let used = use_plugin(&api, json!({"name": "rogue", "config": "echo"})).await.expect(201);
    assert_eq!(used["plugin"]["digest"], made["digest"]);
}

#[tokio::test]
async fn plugins_are_listed_by_name_and_version_and_a_spaces_own_hides_a_bundled_one() {
    let api = TestApi::start().await;
    for (space, name, version) in [
        (None, "zapier", "9.0.0"),
        (None, "slack", "1.0.0"),
        (Some("crm"), "zapier", "1.9.0"),
        (Some("crm"), "zapier", "1.10.0"),
        (Some("crm"), "zapier", "2.0.0-rc.1"),
    ] {
        keep(&api, space, name, version, json!({})).await;
    }
    let shown = |list: &Value| -> Vec<_> {
        let entry = |plugin: &Value| format!("{} {} {}", plugin["name"], plugin["version"], plugin["bundled"]);
        list["data"].as_array().unwrap().iter().map(entry).map(|text| text.replace('"', "")).collect()
    };
    let all = api.admin.get(PLUGINS).await.expect(200);
    let ours = |text: &String| text.starts_with("slack") || text.starts_with("zapier");
    assert_eq!(shown(&all).into_iter().filter(ours).collect::<Vec<_>>(), ["slack 1.0.0 true", "zapier 1.10.0 false"]);
    let versions = api.admin.get(&format!("{PLUGINS}/zapier")).await.expect(200);
    assert_eq!(shown(&versions), ["zapier 2.0.0-rc.1 false", "zapier 1.10.0 false", "zapier 1.9.0 false"]);
    let page = api.admin.get(&format!("{PLUGINS}/zapier?limit=1&cursor=2.0.0-rc.1")).await.expect(200);
    assert_eq!((shown(&page), &page["next_cursor"]), (vec!["zapier 1.10.0 false".to_owned()], &json!("1.10.0")));
    let one = api.admin.get(&format!("{PLUGINS}/zapier/1.9.0")).await.expect(200);
    assert_eq!(one["version"], "1.9.0");
    assert_problem(&api.admin.get(&format!("{PLUGINS}/zapier/9.0.0")).await, 404, "not_found", None);
    assert_problem(&api.admin.get(&format!("{PLUGINS}/none")).await, 404, "not_found", None);
}

#[tokio::test]
async fn a_subscription_gets_the_newest_release_or_the_version_that_it_names() {
    let api = TestApi::start().await;
    let mut digests = BTreeMap::new();
    for version in ["1.9.0", "1.10.0", "2.0.0-rc.1"] {
        digests.insert(version, keep(&api, Some("crm"), "zapier", version, json!({})).await);
    }
    let bundled = keep(&api, None, "slack", "1.0.0", json!({})).await;
    for (asked, version, digest) in [
        (json!({"name": "zapier"}), "1.10.0", digests["1.10.0"]),
        (json!({"name": "zapier", "version": "1.9.0"}), "1.9.0", digests["1.9.0"]),
        (json!({"name": "zapier", "version": "2.0.0-rc.1"}), "2.0.0-rc.1", digests["2.0.0-rc.1"]),
        (json!({"name": "slack"}), "1.0.0", bundled),
    ] {
        let made = use_plugin(&api, asked).await.expect(201);
        let shown = (&made["plugin"]["version"], &made["plugin"]["digest"], &made["plugin"]["config"]);
        assert_eq!(shown, (&json!(version), &json!(digest.to_string()), &json!({})));
    }
    let wrong = use_plugin(&api, json!({"name": "zapier", "version": "3.0.0"})).await;
    assert_problem(&wrong, 422, "field_invalid", Some("/plugin/version"));
    assert!(wrong.text.contains("1.10.0"), "{}", wrong.text);
    assert_problem(&use_plugin(&api, json!({"name": "none"})).await, 422, "field_invalid", Some("/plugin/name"));
}

#[tokio::test]
async fn a_plugin_of_another_space_cannot_be_used_or_seen() {
    let api = TestApi::start().await;
    api.admin.post("/v1/spaces", json!({"id": "other"})).await.expect(201);
    keep(&api, Some("other"), "secret-sauce", "1.0.0", json!({})).await;
    let wrong = use_plugin(&api, json!({"name": "secret-sauce"})).await;
    assert_problem(&wrong, 422, "field_invalid", Some("/plugin/name"));
    assert_problem(&api.admin.get(&format!("{PLUGINS}/secret-sauce")).await, 404, "not_found", None);
}

#[tokio::test]
async fn a_configuration_must_be_as_the_plugins_schema_says() {
    let api = TestApi::start().await;
    let schema = json!({
        "type": "object",
        "properties": {"channel": {"type": "string"}, "rates": {"items": {"type": "number"}}},
        "required": ["channel"],
        "additionalProperties": false
    });
    keep(&api, None, "slack", "1.0.0", schema).await;
    for (config, field) in [
        (json!({}), "/plugin/config"),
        (json!({"channel": 7}), "/plugin/config/channel"),
        (json!({"channel": "x", "rates": [1, "2"]}), "/plugin/config/rates/1"),
        (json!({"channel": "x", "color": "red"}), "/plugin/config"),
        (json!("x".repeat(256 << 10)), "/plugin/config"),
    ] {
        let answer = use_plugin(&api, json!({"name": "slack", "config": config})).await;
        assert_problem(&answer, 422, "field_invalid", Some(field));
    }
    let text = r#"{"name":"x","url":"https://example.com","event_types":["*"],
        "plugin":{"name":"slack","config":{"channel":"x","rates":[12.50,12345678901234567890.0]}}}"#;
    let made = api.admin.post_text("/v1/spaces/crm/subscriptions", text).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(made.text.contains("[12.50,12345678901234567890.0]"), "{}", made.text);
}

#[tokio::test]
async fn a_component_that_is_refused_after_it_was_compiled_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = folder.path().to_owned();
    let api = TestApi::with(move |config| config.compiled_dir = Some(compiled)).await;
    let files = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        files.filter(|name| name != "key").count()
    };
    let upload = |bytes: &[u8]| api.admin.send(Method::POST, PLUGINS, Some("application/wasm"), bytes.to_vec());
    upload(hookmill_guests::ROGUE).await.expect(201);
    assert_eq!(files(), 1);
    let other = [hookmill_guests::ROGUE, b"\0\x02\x01x"].concat();
    assert_problem(&upload(&other).await, 409, "plugin_version_exists", None);
    assert_eq!(files(), 1, "the compiled plugin of a refused component was kept");
    // What is in use stays, whoever uploads it again.
    upload(hookmill_guests::ROGUE).await.expect(200);
    assert_eq!(files(), 1);
    assert!(api.host.engine.prepared(&Digest::of(hookmill_guests::ROGUE)).is_some());
}
