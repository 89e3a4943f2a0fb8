//! Golden pairs: what each bundled plugin makes of a delivery, through the real engine.
//!
//! A pair is `plugins/<name>/golden/<case>.delivery.json` and `<case>.request.json`, where `{{secret:signing}}` stands for
//! that secret's placeholder. With `HOOKMILL_UPDATE_GOLDEN=1` the requests are written anew instead of compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hookmill_bundled::{Bundled, PLUGINS};
use hookmill_engine::Limits;
use hookmill_engine::{Engine, PluginRun, Prepared};
use hookmill_server::plugins::golden::{self, Case};
use serde_json::Value;

/// Folders in `plugins/` that are no plugins.
const NO_PLUGINS: [&str; 4] = ["bundled", "components", "sdk", "templates"];

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
        let inspected = engine.inspect(Bytes::from(plugin.component())).await.expect("the host takes it");
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
            let delivery = case.delivery().expect("it is a delivery");
            let transformed = golden::transform(&engine, &prepared, &delivery).await.expect("the host does not fail");
            let made = golden::as_file(&transformed);
            let config: Value = serde_json::from_str(delivery.config.get()).expect("it is JSON");
            let refused = made.get("failed").is_some();
            assert!(refused || schema.is_valid(&config), "{}: the schema refuses what works", case.name());
            compare(&case, &made, &transformed);
        }
    }
}

fn compare(case: &Case, made: &Value, transformed: &PluginRun) {
    if std::env::var_os("HOOKMILL_UPDATE_GOLDEN").is_some() {
        return case.write_request(made).expect("the request's file can be written");
    }
    let golden = case.request().expect("it can be read").expect("every delivery has its request");
    let logs = &transformed.logs;
    let file = case.request_file();
    assert!(*made == golden, "{}\ngolden: {golden:#}\nmade: {made:#}\nlogs: {logs:#?}", file.display());
}

/// The engine, with a folder of compiled plugins that outlives the tests.
fn engine() -> Engine {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden");
    Engine::new(&Limits::default(), &folder, env!("CARGO_BIN_EXE_hookmill").into()).expect("the engine starts")
}

async fn load(engine: &Engine, plugin: &Bundled) -> (Arc<Prepared>, jsonschema::Validator) {
    let component = Bytes::from(plugin.component());
    let inspected = engine.inspect(component.clone()).await.expect("the host takes it");
    let schema = jsonschema::validator_for(&inspected.config_schema).expect("it is a schema");
    (engine.load(inspected.digest, component).await.expect("it loads"), schema)
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

fn cases(plugin: &str) -> Vec<Case> {
    Case::all(&plugins_folder().join(plugin).join("golden")).expect("the folder can be read")
}
