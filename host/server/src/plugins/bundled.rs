//! The plugins that come with the program.
//!
//! They are entered by the description that stands next to each component, so a first start compiles none of them before
//! it listens; the tests compare each description with what its component says.

use bytes::Bytes;
use hookmill_bundled::{Bundled, PLUGINS};
use hookmill_model::{Digest, Plugin, PluginName, PluginVersion};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::host::Host;

/// What a component says of itself, as it stands next to it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: PluginName,
    version: PluginVersion,
    digest: Digest,
    summary: String,
    content_types: Vec<String>,
    config_schema: Value,
}

/// Enters them, unless they are there.
///
/// # Errors
/// If the store fails.
pub async fn install(host: &Host) -> anyhow::Result<()> {
    for bundled in PLUGINS {
        let plugin = plugin(bundled, host.clock.now())?;
        // Even if its component is there: something else may be in its place, such as a file that is gone by now.
        host.store.put_plugin(&plugin, Bytes::from_static(bundled.component)).await?;
    }
    Ok(())
}

fn plugin(bundled: &Bundled, now: Timestamp) -> serde_json::Result<Plugin> {
    let Description { name, version, digest, summary, content_types, config_schema } =
        serde_json::from_str(bundled.description)?;
    let (size_bytes, created_at) = (bundled.component.len() as u64, now);
    Ok(Plugin {
        space: None,
        name,
        version,
        digest,
        summary,
        content_types,
        config_schema,
        size_bytes,
        source: None,
        created_at,
    })
}
