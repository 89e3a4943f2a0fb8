//! A plugin as an OCI artifact: its manifest and its configuration, as bytes.
//!
//! The layout is that of the CNCF's Wasm working group, which `wkg` writes and reads: a configuration with the component's
//! imports and exports, one layer that is the component itself, and annotations for people.

use std::collections::BTreeMap;

use bytes::Bytes;
use hookmill_engine::{Inspected, Limits, outline};
use hookmill_model::{Digest, PluginName, PluginVersion};
use serde::{Deserialize, Serialize};

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

const TITLE: &str = "org.opencontainers.image.title";
const VERSION: &str = "org.opencontainers.image.version";
const DESCRIPTION: &str = "org.opencontainers.image.description";
/// The signature over the component's digest, in base64.
const SIGNATURE: &str = "dev.hookmill.signature";

/// The layout requires a time of creation, and the same plugin must have the same digest. So it is always this one, as in
/// reproducible builds.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// A plugin's annotations in its registry.
#[derive(Clone, Copy, Debug)]
pub struct ArtifactInfo<'a> {
    /// Its name.
    pub name: &'a PluginName,
    /// Its version.
    pub version: &'a PluginVersion,
    /// Its purpose.
    pub summary: &'a str,
    /// The signature over the component's digest, if it was signed.
    pub signature: Option<&'a str>,
}

impl<'a> ArtifactInfo<'a> {
    /// The annotations of a plugin that was inspected.
    pub fn new(inspected: &'a Inspected, signature: Option<&'a str>) -> Self {
        let Inspected { name, version, summary, .. } = inspected;
        Self { name, version, summary, signature }
    }
}

/// A component's manifest and configuration, which are pushed with it.
pub(super) struct Artifact {
    pub(super) config: Bytes,
    pub(super) manifest: Bytes,
    pub(super) component: Digest,
}

/// A manifest's description of the component.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) signature: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'a str,
    architecture: &'a str,
    os: &'a str,
    layer_digests: [Digest; 1],
    component: Component,
}

#[derive(Serialize)]
struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
    /// The world that it was built for.
    target: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Artifact {
    /// The artifact of a component.
    pub(super) fn new(component: &[u8], info: &ArtifactInfo<'_>) -> Result<Self, String> {
        let digest = Digest::of(component);
        // Without this host's limit: another host may accept larger components.
        let limits = Limits { component_bytes_max: usize::MAX, ..Limits::default() };
        let outline = outline(component, &limits).map_err(|refusal| refusal.0)?;
        let target = outline.contract().map(|version| format!("hookmill:plugin/plugin@{version}"));
        let component_of = Component { exports: outline.exports, imports: outline.imports, target };
        let config = json(&Config {
            created: CREATED,
            architecture: "wasm",
            os: "wasip2",
            layer_digests: [digest],
            component: component_of,
        });
        let file = BTreeMap::from([(TITLE.to_owned(), format!("{}.wasm", info.name))]);
        let manifest = json(&Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config: Descriptor::of(CONFIG, &config, BTreeMap::new()),
            layers: vec![Descriptor::of(LAYER, component, file)],
            annotations: info.annotations(),
        });
        Ok(Self { config, manifest, component: digest })
    }
}

impl ArtifactInfo<'_> {
    fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::from([
            (TITLE.to_owned(), self.name.to_string()),
            (VERSION.to_owned(), self.version.to_string()),
            (DESCRIPTION.to_owned(), self.summary.to_owned()),
        ]);
        if let Some(signature) = self.signature {
            annotations.insert(SIGNATURE.to_owned(), signature.to_owned());
        }
        annotations
    }
}

impl Descriptor {
    fn of(media_type: &str, bytes: &[u8], annotations: BTreeMap<String, String>) -> Self {
        let digest = Digest::of(bytes).to_string();
        Self { media_type: media_type.to_owned(), digest, size: bytes.len() as u64, annotations }
    }
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("strings and numbers serialize to JSON").into()
}

/// Finds the component in a manifest; the error says what is wrong.
pub(super) fn read(manifest: &[u8]) -> Result<Layer, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let broken = |error: serde_json::Error| format!("its manifest cannot be read: {error}");
    let kind: Kind = serde_json::from_slice(manifest).map_err(broken)?;
    if kind.manifests.is_some() {
        return Err("it is an index of several manifests: expected one of them, by its digest".to_owned());
    }
    if let Some(other) = kind.media_type.filter(|media_type| media_type != MANIFEST) {
        return Err(format!("its manifest is `{}`: expected `{MANIFEST}`", other.escape_debug()));
    }
    let Manifest { config, layers, mut annotations, .. } = serde_json::from_slice(manifest).map_err(broken)?;
    if config.media_type != CONFIG {
        return Err(format!("its configuration is `{}`: expected `{CONFIG}`", config.media_type.escape_debug()));
    }
    let [layer] = <[Descriptor; 1]>::try_from(layers)
        .map_err(|layers| format!("it has {} layers: expected one, the component", layers.len()))?;
    if layer.media_type != LAYER {
        return Err(format!("its layer is `{}`: expected `{LAYER}`", layer.media_type.escape_debug()));
    }
    let digest = layer.digest.parse().map_err(|error| format!("its layer's digest: {error}"))?;
    Ok(Layer { digest, size: layer.size, signature: annotations.remove(SIGNATURE) })
}
