//! The plugins that come with the program.
//!
//! They are registered from the description that is committed next to each component, so that a first start compiles none
//! of them before it listens ([`prepare`](super::prepare) does so later). The tests compare each description with what its
//! component reports.

use hookmill_bundled::{Bundled, PLUGINS};
use hookmill_engine::Inspected;
use hookmill_model::Plugin;
use jiff::Timestamp;

use super::admit;
use crate::host::Host;

/// Registers the bundled plugins.
///
/// # Errors
/// If a description cannot be read, or the store fails.
pub async fn install(host: &Host) -> anyhow::Result<()> {
    for bundled in PLUGINS {
        let plugin = plugin(bundled, host.clock.now())?;
        // Even if its component is stored: another plugin may have its place, such as a file that has been removed since.
        host.store.put_plugin(&plugin, bundled.component().into()).await?;
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
    let described: Inspected = serde_json::from_str(bundled.description)?;
    Ok(admit::plugin(None, described, bundled.component_bytes, None, now))
}
