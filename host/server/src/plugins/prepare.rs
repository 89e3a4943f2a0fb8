//! Compiles plugins ahead of their first delivery, behind a host that serves already.
//!
//! First come those that saved subscriptions use, then the other bundled ones, so that a subscription that is created
//! later waits for no compiler. They are compiled one at a time: the other compilers are left to uploads and deliveries.

use std::collections::HashSet;

use anyhow::Context as _;
use hookmill_model::{Digest, Plugin, PluginName, PluginRef, PluginVersion, Subscription};
use tokio_util::sync::CancellationToken;

use super::bundled;
use crate::dispatch::prepared;
use crate::host::Host;

/// A plugin to prepare.
struct Wanted {
    digest: Digest,
    name: PluginName,
    version: PluginVersion,
    /// Whether a subscription uses it: any other is removed from memory again.
    in_use: bool,
}

/// Prepares all plugins that are in use or bundled, until `shutdown`.
pub async fn run(host: &Host, shutdown: &CancellationToken) {
    tokio::select! {
        // A compiler that is running is killed.
        () = shutdown.cancelled() => {}
        () = prepare_all(host) => {}
    }
}

async fn prepare_all(host: &Host) {
    let mut uncompiled = Vec::new();
    for wanted in wanted(host) {
        match host.engine.load_cached(wanted.digest).await {
            None => uncompiled.push(wanted),
            Some(_) if wanted.in_use => {}
            Some(_) => host.engine.unload(&wanted.digest),
        }
    }
    let count = uncompiled.len();
    for (number, Wanted { digest, name, version, in_use }) in (1..).zip(uncompiled) {
        tracing::info!("compiling plugins: {name} {version} ({number} of {count})");
        match prepared(host, None, digest).await.with_context(|| format!("compiling {name} {version}")) {
            Ok(_) if in_use => {}
            Ok(_) => host.engine.unload(&digest),
            Err(err) => tracing::error!(plugin.digest = %digest, error = format!("{err:#}"), "plugin skipped"),
        }
    }
    if count > 0 {
        tracing::info!(count, "plugins compiled");
    }
}

/// The plugins in the order in which they are prepared, each once.
fn wanted(host: &Host) -> Vec<Wanted> {
    let mut seen = HashSet::new();
    let mut wanted = Vec::new();
    for compiled in host.registry.all(|_| true) {
        let Subscription { plugin, shadow, .. } = &compiled.subscription;
        for PluginRef { name, version, digest, .. } in plugin.iter().chain(shadow) {
            if seen.insert(*digest) {
                let (digest, name, version) = (*digest, name.clone(), version.clone());
                wanted.push(Wanted { digest, name, version, in_use: true });
            }
        }
    }
    for Plugin { name, version, digest, .. } in bundled::all(host.clock.now()).unwrap_or_default() {
        if seen.insert(digest) {
            wanted.push(Wanted { digest, name, version, in_use: false });
        }
    }
    wanted
}
