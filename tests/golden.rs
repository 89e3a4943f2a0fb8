//! Golden pairs: what each bundled plugin makes of a delivery, through the real engine.
//!
//! A pair is `plugins/<name>/golden/<case>.delivery.json` and `<case>.request.json`, where `{{secret:signing}}` stands for
//! that secret's placeholder. With `HOOKMILL_UPDATE_GOLDEN=1` the requests are written anew instead of compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hookmill::config::PluginConfig;
use hookmill::model::{Body, Event, EventId, EventType, Method, SpaceId, Subscription};
use hookmill::transform::engine::{Engine, Input, Prepared, Shaped, Transformed};
use hookmill_bundled::{Bundled, PLUGINS};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Folders in `plugins/` that are no plugins.
const NO_PLUGINS: [&str; 3] = ["build", "bundled", "sdk"];

/// A delivery's file; what is not in it is the same for all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivery {
    attempt: u32,
    subscription: Asked,
    config: Box<RawValue>,
    /// The names of the secrets that the subscription has.
    #[serde(default)]
    secrets: Vec<String>,
    events: Vec<Posted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    content_type: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Posted {
    id: EventId,
    #[serde(rename = "type")]
    kind: EventType,
    occurred_at: jiff::Timestamp,
    data: Box<RawValue>,
}

#[test]
fn every_plugin_is_bundled_and_has_a_golden_pair() {
    let mut plugins: Vec<_> = PLUGINS.iter().map(|plugin| plugin.name.to_owned()).collect();
    plugins.sort();
    assert_eq!(folders(), plugins, "the folders in plugins/ and hookmill_bundled::PLUGINS");
    for name in plugins {
        assert!(!cases(&name).is_empty(), "plugins/{name}/golden has no pair");
    }
}

#[tokio::test]
async fn every_plugin_is_what_its_name_says() {
    let engine = engine();
    for plugin in PLUGINS {
        let inspected = engine.inspect(Bytes::from_static(plugin.component)).await.expect("the host takes it");
        assert_eq!(inspected.name.as_str(), plugin.name);
        jsonschema::meta::validate(&inspected.config_schema).expect("its configuration's schema is one");
    }
}

#[tokio::test]
async fn every_golden_delivery_gives_its_request() {
    let engine = engine();
    for plugin in PLUGINS {
        let (prepared, schema) = load(&engine, plugin).await;
        for case in cases(plugin.name) {
            let delivery: Delivery = read(&case.with_extension("delivery.json"));
            let transformed = transform(&engine, &prepared, &delivery).await;
            let made = as_file(&transformed);
            let config: Value = serde_json::from_str(delivery.config.get()).expect("it is JSON");
            let refused = made.get("failed").is_some();
            assert!(refused || schema.is_valid(&config), "{}: the schema refuses what works", case.display());
            compare(&case, &made, &transformed);
        }
    }
}

fn compare(case: &Path, made: &Value, transformed: &Transformed) {
    let file = case.with_extension("request.json");
    if std::env::var_os("HOOKMILL_UPDATE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(made).expect("it is JSON") + "\n";
        return fs::write(&file, text).expect("the request's file can be written");
    }
    let golden: Value = read(&file);
    let logs = &transformed.logs;
    assert!(*made == golden, "{}\ngolden: {golden:#}\nmade: {made:#}\nlogs: {logs:#?}", file.display());
}

/// The engine, with a folder of compiled plugins that outlives the tests.
fn engine() -> Engine {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden");
    Engine::new(&PluginConfig::default(), &folder, env!("CARGO_BIN_EXE_hookmill").into()).expect("the engine starts")
}

async fn load(engine: &Engine, plugin: &Bundled) -> (Arc<Prepared>, jsonschema::Validator) {
    let component = Bytes::from_static(plugin.component);
    let inspected = engine.inspect(component.clone()).await.expect("the host takes it");
    let schema = jsonschema::validator_for(&inspected.config_schema).expect("it is a schema");
    (engine.load(inspected.digest, component).await.expect("it loads"), schema)
}

async fn transform(engine: &Engine, plugin: &Prepared, delivery: &Delivery) -> Transformed {
    let subscription = subscription(&delivery.subscription);
    let events: Vec<_> = delivery.events.iter().map(event).collect();
    let events: Vec<_> = events.iter().map(|event| (event, event.data.get())).collect();
    let secrets: Vec<_> = delivery.secrets.iter().map(String::as_str).collect();
    let input = Input {
        delivery_id: "dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E".parse().expect("it is an id"),
        attempt: delivery.attempt,
        subscription: &subscription,
        events: &events,
        config: delivery.config.get(),
        secrets: &secrets,
    };
    engine.transform(plugin, input).await.expect("the host does not fail")
}

fn event(posted: &Posted) -> Event {
    Event {
        space: SpaceId::parse("acme").expect("it is an id"),
        id: posted.id.clone(),
        kind: posted.kind.clone(),
        occurred_at: posted.occurred_at,
        accepted_at: posted.occurred_at,
        data: posted.data.clone().into(),
        changed_fields: None,
        previous: None,
    }
}

fn subscription(asked: &Asked) -> Subscription {
    let subscription = json!({
        "id": "sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E",
        "space": "acme",
        "name": asked.name,
        "description": "",
        "url": "https://receiver.example/",
        "method": "POST",
        "event_types": ["*"],
        "fields": {},
        "content_type": asked.content_type,
        "headers": [],
        "delay_s": 0,
        "secrets": [],
        "timeout_ms": 15_000,
        "success_codes": "2xx",
        "retry": {"schedule_s": [], "jitter_percent": 0},
        "state": "active",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    });
    serde_json::from_value(subscription).expect("it is a subscription")
}

/// What a transform made, as a request's file has it.
fn as_file(transformed: &Transformed) -> Value {
    let mut text = result_as_file(transformed).to_string();
    for sealed in &transformed.sealed {
        text = text.replace(&sealed.placeholder, &format!("{{{{secret:{}}}}}", sealed.name));
    }
    serde_json::from_str(&text).expect("no placeholder is more than a part of a string")
}

fn result_as_file(transformed: &Transformed) -> Value {
    match &transformed.result {
        Ok(Shaped::Deliver(draft)) => {
            let method = draft.method.map(Method::as_str);
            let (query, headers, body) = (&draft.query, &draft.headers, body_as_file(&draft.body));
            json!({"deliver": {"method": method, "query": query, "headers": headers, "body": body}})
        }
        Ok(Shaped::Skip(reason)) => json!({"skip": reason}),
        Err(fault) => json!({"failed": {"reason": fault.message, "retry": fault.retry}}),
    }
}

fn body_as_file(body: &Body) -> Value {
    match body {
        Body::Json(text) => json!({"json": text}),
        Body::Form(fields) => json!({"form": fields}),
        Body::Text(text) => json!({"text": text}),
        Body::Binary { content_type, bytes } => {
            let text = str::from_utf8(bytes).expect("no bundled plugin makes other bytes than text");
            json!({"binary": {"content_type": content_type, "text": text}})
        }
    }
}

fn plugins_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")
}

/// The plugins' folders, by name.
fn folders() -> Vec<String> {
    let entries =
        fs::read_dir(plugins_folder()).expect("there is a folder").map(|entry| entry.expect("it is readable"));
    let folders = entries.filter(|entry| entry.path().is_dir());
    let names = folders.map(|entry| entry.file_name().into_string().expect("it is UTF-8"));
    let mut names: Vec<_> = names.filter(|name| !NO_PLUGINS.contains(&name.as_str())).collect();
    names.sort();
    names
}

/// A plugin's cases: paths without `.delivery.json`, in order.
fn cases(plugin: &str) -> Vec<PathBuf> {
    let folder = plugins_folder().join(plugin).join("golden");
    let entries = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.expect("it is readable").path());
    let case = |file: PathBuf| Some(folder.join(file.file_name()?.to_str()?.strip_suffix(".delivery.json")?));
    let mut cases: Vec<_> = entries.filter_map(case).collect();
    cases.sort();
    cases
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> T {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}
