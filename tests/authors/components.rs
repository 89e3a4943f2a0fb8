//! The committed components: whether they match their sources, and their descriptions match them.
//!
//! With `HOOKMILL_UPDATE_GOLDEN=1` the descriptions of the bundled plugins are written instead of compared.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hookmill_bundled::PLUGINS;
use hookmill_engine::Engine;
use hookmill_engine::Limits;
use serde_json::{Value, json};

#[test]
fn every_component_matches_its_sources() {
    let stale = hookmill_components::stale(&root()).expect("the sources can be read");
    assert!(stale.is_empty(), "{}\nrun: {}", stale.join("\n"), hookmill_components::COMMAND);
}

#[tokio::test]
async fn every_description_is_what_its_component_returns() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden");
    let program = env!("CARGO_BIN_EXE_hookmill").into();
    let engine = Engine::new(&Limits::default(), &folder, program).expect("the engine starts");
    for plugin in PLUGINS {
        let inspected = engine.inspect(Bytes::from(plugin.component())).await.expect("the host takes it");
        let returned = json!({
            "name": inspected.name.as_str(),
            "version": inspected.version.to_string(),
            "digest": inspected.digest.to_string(),
            "summary": inspected.summary,
            "content_types": inspected.content_types,
            "config_schema": inspected.config_schema,
        });
        let file = hookmill_components::description_file(plugin.name);
        if std::env::var_os("HOOKMILL_UPDATE_GOLDEN").is_some() {
            let text = serde_json::to_string_pretty(&returned).expect("it can be written as JSON") + "\n";
            fs::write(root().join(file), text).expect("the file can be written");
            continue;
        }
        let described: Value = serde_json::from_str(plugin.description).expect("it is JSON");
        assert_eq!(described, returned, "{file}: HOOKMILL_UPDATE_GOLDEN=1 rewrites it");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
