//! What is pushed, as another client finds it: read over the registry's own API, and checked by hand.

use hookmill_model::Digest;
use serde_json::{Value, json};

use super::registry::Registry;
use super::{ECHO, push_echo};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[tokio::test]
async fn what_is_pushed_is_laid_out_as_wkg_lays_it_out() {
    let Some(registry) = Registry::start() else { return };
    let pushed = push_echo(&format!("{}/plugins/by-hand:1.0.0", registry.address), Some("c2ln")).await.unwrap();

    let (digest, bytes) = registry.get("plugins/by-hand/manifests/1.0.0", MANIFEST).await;
    assert_eq!(digest, Some(pushed.manifest.to_string()));
    assert_eq!(Digest::of(&bytes), pushed.manifest);
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&manifest["schemaVersion"], &manifest["mediaType"]), (&json!(2), &json!(MANIFEST)));
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    let annotations = json!({
        "org.opencontainers.image.title": "by-hand",
        "org.opencontainers.image.version": "1.0.0",
        "org.opencontainers.image.description": "Made by hand.",
        "dev.hookmill.signature": "c2ln",
    });
    assert_eq!(manifest["annotations"], annotations);
    let layer = json!({
        "mediaType": "application/wasm",
        "digest": Digest::of(&ECHO).to_string(),
        "size": ECHO.len(),
        "annotations": {"org.opencontainers.image.title": "by-hand.wasm"},
    });
    assert_eq!(manifest["layers"], json!([layer]));

    let of_config = manifest["config"]["digest"].as_str().unwrap();
    let (_, bytes) = registry.get(&format!("plugins/by-hand/blobs/{of_config}"), "*/*").await;
    assert_eq!(
        (Digest::of(&bytes).to_string().as_str(), &manifest["config"]["size"]),
        (of_config, &json!(bytes.len()))
    );
    let config: Value = serde_json::from_slice(&bytes).unwrap();
    let wanted = json!({
        "created": "1970-01-01T00:00:00Z",
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [Digest::of(&ECHO).to_string()],
        "component": {
            "exports": ["hookmill:plugin/transformer@1.1.0"],
            "imports": ["hookmill:plugin/types@1.1.0"],
            "target": "hookmill:plugin/plugin@1.1.0",
        },
    });
    assert_eq!(config, wanted);

    let (_, component) = registry.get(&format!("plugins/by-hand/blobs/{}", Digest::of(&ECHO)), "*/*").await;
    assert_eq!(component, ECHO);
}
