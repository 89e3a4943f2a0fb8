//! Compiles plugins ahead of their first delivery, behind a host that serves already.
//!
//! First come those that saved subscriptions use, then the other bundled ones, so that a subscription that is created
//! later waits for no compiler. They are compiled one at a time: the other compilers are left to uploads and deliveries.

use std::collections::HashSet;

use anyhow::Context as _;
use hookmill_model::{Digest, Plugin, PluginRef};
use tokio_util::sync::CancellationToken;

use super::bundled;
use crate::dispatch::prepared;
use crate::host::Host;

/// A plugin to prepare.
struct Wanted {
    digest: Digest,
    /// Its name and version, for the log.
    label: String,
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
        if host.engine.load_cached(wanted.digest).await.is_none() {
            uncompiled.push(wanted);
        } else {
            unload_unused(host, wanted.digest);
        }
    }
    let count = uncompiled.len();
    for (number, Wanted { digest, label }) in (1..).zip(uncompiled) {
        tracing::info!("compiling plugins: {label} ({number} of {count})");
        match prepared(host, digest).await.with_context(|| format!("compiling {label}")) {
            Ok(_) => unload_unused(host, digest),
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
    let mut add = |digest, label: String| {
        if seen.insert(digest) {
            wanted.push(Wanted { digest, label });
        }
    };
    for live in host.registry.all(|_| true) {
        for PluginRef { name, version, digest, .. } in live.subscription.plugin.iter().chain(&live.subscription.shadow)
        {
            add(*digest, format!("{name} {version}"));
        }
    }
    for Plugin { name, version, digest, .. } in bundled::all(host.clock.now()).unwrap_or_default() {
        add(digest, format!("{name} {version}"));
    }
    wanted
}

/// Removes a plugin from memory that no subscription uses.
fn unload_unused(host: &Host, digest: Digest) {
    let uses = |plugin: &Option<PluginRef>| plugin.as_ref().is_some_and(|plugin| plugin.digest == digest);
    if host.registry.all(|subscription| uses(&subscription.plugin) || uses(&subscription.shadow)).is_empty() {
        host.engine.unload(&digest);
    }
}
