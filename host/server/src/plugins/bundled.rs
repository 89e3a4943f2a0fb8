//! The plugins that come with the program.
//!
//! They are registered from the description that is committed next to each component, so that a first start compiles none
//! of them before it listens ([`prepare`](super::prepare) does so later). The tests compare each description with what its
//! component reports.

use bytes::Bytes;
use hookmill_bundled::{Bundled, PLUGINS};
use hookmill_model::{Digest, Plugin, PluginName, PluginVersion};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::host::Host;

/// What a component reports about itself.
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

/// Registers the bundled plugins.
///
/// # Errors
/// If a description cannot be read, or the store fails.
pub async fn install(host: &Host) -> anyhow::Result<()> {
    for bundled in PLUGINS {
        let plugin = plugin(bundled, host.clock.now())?;
        // Even if its component is stored: another plugin may have its place, such as a file that has been removed since.
        host.store.put_plugin(&plugin, Bytes::from_static(bundled.component)).await?;
    }
    Ok(())
}

/// The bundled plugins.
///
/// # Errors
/// If a description cannot be read.
pub(super) fn all(now: Timestamp) -> serde_json::Result<Vec<Plugin>> {
    PLUGINS.iter().map(|bundled| plugin(bundled, now)).collect()
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
