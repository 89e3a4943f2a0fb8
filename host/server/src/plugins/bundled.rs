//! The plugins that come with the program.

use bytes::Bytes;
use hookmill_bundled::{Bundled, PLUGINS};
use hookmill_model::Plugin;

use super::admit::{self, Candidate};
use crate::host::Host;

/// Enters them, unless they are there.
///
/// # Errors
/// If the store fails; a bundled plugin that the engine refuses is an error too.
pub async fn install(host: &Host) -> anyhow::Result<()> {
    futures::future::try_join_all(PLUGINS.iter().map(|bundled| enter(host, bundled))).await?;
    Ok(())
}

async fn enter(host: &Host, bundled: &Bundled) -> anyhow::Result<()> {
    let component = Bytes::from_static(bundled.component);
    let candidate = Candidate { component, signature: None, source: None };
    let (Plugin { digest, .. }, _) = admit::for_all_spaces(host, &[], candidate).await?;
    // Most hosts use few of them.
    host.engine.unload(&digest);
    Ok(())
}
