//! What is in the registry and no plugin, told plainly.

use hookmill_model::Digest;
use hookmill_server::plugins::oci::{ArtifactInfo, OciError, Registries, pull, push};
use serde_json::{Value, json};

use super::registry::Registry;
use super::{ECHO, push_echo, reference, refusal, registries};

#[tokio::test]
async fn what_is_not_there_is_told_so() {
    let Some(registry) = Registry::start() else { return };
    let at = format!("oci://{}/by-hand", registry.address);
    push_echo(&format!("{at}:1.0.0"), None).await.unwrap();
    let nothing = Digest::of(b"nothing");
    for asked in [format!("{at}:2.0.0"), format!("{at}@{nothing}"), format!("oci://{}/other:1", registry.address)] {
        assert_eq!(refusal(&asked).await, format!("there is no `{asked}` in that registry"));
    }
}

#[tokio::test]
async fn what_is_laid_out_otherwise_is_told_what_it_is() {
    let Some(registry) = Registry::start() else { return };
    let at = format!("oci://{}/by-hand", registry.address);
    let pushed = push_echo(&format!("{at}:1.0.0"), None).await.unwrap();
    let (_, bytes) = registry.get("by-hand/manifests/1.0.0", "application/vnd.oci.image.manifest.v1+json").await;
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();

    let image = "application/vnd.oci.image.config.v1+json";
    let old = "application/vnd.wasm.content.layer.v1+wasm";
    type Change<'a> = (&'a str, Box<dyn Fn(&mut Value)>, String);
    let changes: [Change<'_>; 3] = [
        (
            "image",
            Box::new(move |manifest| manifest["config"]["mediaType"] = json!(image)),
            format!("its configuration is `{image}`: expected `application/vnd.wasm.config.v0+json`"),
        ),
        (
            "old",
            Box::new(move |manifest| manifest["layers"][0]["mediaType"] = json!(old)),
            format!("its layer is `{old}`: expected `application/wasm`"),
        ),
        (
            "two",
            Box::new(|manifest| {
                let layer = manifest["layers"][0].clone();
                manifest["layers"].as_array_mut().unwrap().push(layer);
            }),
            "it has 2 layers: expected one, the component".to_owned(),
        ),
    ];
    for (tag, change, why) in changes {
        let mut other = manifest.clone();
        change(&mut other);
        registry.put_manifest("by-hand", tag, &other).await;
        assert_eq!(refusal(&format!("{at}:{tag}")).await, format!("`{at}:{tag}` is not a plugin: {why}"));
    }

    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": pushed.manifest.to_string(),
            "size": bytes.len(),
            "platform": {"architecture": "wasm", "os": "wasip2"},
        }],
    });
    registry.put_manifest("by-hand", "index", &index).await;
    let why = "it is an index of several manifests: expected one of them, by its digest";
    assert_eq!(refusal(&format!("{at}:index")).await, format!("`{at}:index` is not a plugin: {why}"));
}

#[tokio::test]
async fn what_is_larger_than_a_component_may_be_is_refused_unread() {
    let Some(registry) = Registry::start() else { return };
    let at = format!("oci://{}/by-hand:1.0.0", registry.address);
    let pushed = push_echo(&at, None).await.unwrap();
    // Who reads it in spite of that finds something else.
    std::fs::write(registry.file(pushed.component), "another").unwrap();
    let small = Registries { component_bytes_max: 1_000, ..registries() };
    let error = pull(&small, &reference(&at)).await.unwrap_err().to_string();
    assert_eq!(error, format!("`{at}` is too large: its component has {} bytes: at most 1000 are allowed", ECHO.len()));
}

#[tokio::test]
async fn what_is_no_component_or_has_no_tag_is_not_pushed() {
    let (name, version) = ("x".parse().unwrap(), "1.0.0".parse().unwrap());
    let info = ArtifactInfo { name: &name, version: &version, summary: "", signature: None };
    // Nobody listens there: nothing is asked.
    let push = async |to: &str, bytes: &'static [u8]| {
        push(&registries(), &reference(to), bytes.into(), &info).await.unwrap_err()
    };
    let error = push("127.0.0.1:1/x:1", b"\0asm\x01\0\0\0").await;
    assert!(error.to_string().contains("it is a core module, not a component"), "{error}");
    let digest = Digest::of(b"");
    for to in [format!("127.0.0.1:1/x@{digest}"), format!("127.0.0.1:1/x:1@{digest}")] {
        let error = push(&to, hookmill_guests::ECHO).await;
        assert!(matches!(error, OciError::Reference { .. }), "{error:?}");
        assert!(error.to_string().ends_with("expected a reference that ends in a tag, such as :1.4.0"), "{error}");
    }
    let error = push("127.0.0.1:1/x:1", hookmill_guests::ECHO).await.to_string();
    assert!(error.starts_with("the registry failed: `127.0.0.1` cannot be reached"), "{error}");
}
