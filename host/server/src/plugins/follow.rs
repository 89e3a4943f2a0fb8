//! Subscriptions that follow a range of versions move on to the newest.
//!
//! A configuration is checked without locking, and then the subscription must still use the plugin that it was checked
//! for; else it is checked again. A subscription moves neither to an older version nor to one whose schema does not
//! accept its configuration: it stays, and records why. A failure of one subscription is logged and does not stop others.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt as _;
use hookmill_model::{HeldBack, Plugin, PluginName, PluginRef, SpaceId, Subscription, SubscriptionId};
use hookmill_store::StoreError;

use super::schema::Checker;
use super::versions::{ConfigError, configured, newest_within, usable};
use crate::host::Host;
use crate::registry::{Changing, CompiledSubscription};

/// How often subscriptions that others changed meanwhile are checked again; each of those changes moved them on itself.
const ROUNDS_MAX: u32 = 3;

/// Subscriptions written at once, which share their commits.
const WRITES_MAX: usize = 64;

/// Moves a space's subscriptions that follow versions of this plugin to the newest that they can use.
///
/// # Errors
/// If the plugin's versions cannot be read.
pub async fn follow(host: &Host, space: &SpaceId, name: &PluginName) -> Result<(), StoreError> {
    follow_all(host, || {
        host.registry.all(|subscription| subscription.space == *space && follows(subscription, |plugin| plugin == name))
    })
    .await
}

/// Moves a subscription to the newest version that it follows, if it follows any.
///
/// # Errors
/// If the plugin's versions cannot be read.
pub async fn catch_up(host: &Host, id: SubscriptionId) -> Result<(), StoreError> {
    let one = || host.registry.get(id).filter(|compiled| follows(&compiled.subscription, |_| true));
    follow_all(host, || one().into_iter().collect()).await
}

/// Moves all subscriptions when the host starts: the bundled plugins may have new versions, and an upload may have been
/// cut off. A subscription that cannot be moved now is moved by the next upload or start.
pub async fn at_start(host: &Host) {
    if let Err(err) = follow_all(host, || host.registry.all(|subscription| follows(subscription, |_| true))).await {
        tracing::error!(error = &err as &dyn std::error::Error, "following plugin versions failed");
    }
}

fn follows(subscription: &Subscription, is_wanted: impl Fn(&PluginName) -> bool) -> bool {
    subscription.plugin.as_ref().is_some_and(|plugin| plugin.follows.is_some() && is_wanted(&plugin.name))
}

async fn follow_all(host: &Host, following: impl Fn() -> Vec<Arc<CompiledSubscription>>) -> Result<(), StoreError> {
    for _ in 0..ROUNDS_MAX {
        let moves = moves(host, following()).await?;
        if moves.is_empty() {
            break;
        }
        let changing = &host.registry.changing().await;
        // All of them to their end: a save that is cut off could leave a row that memory does not have.
        let writes = futures::stream::iter(moves).for_each_concurrent(WRITES_MAX, async |(compiled, new)| {
            if let Err(err) = move_on(host, changing, &compiled, new).await {
                could_not_follow(compiled.subscription.id, &err);
            }
        });
        writes.await;
    }
    Ok(())
}

fn could_not_follow(id: SubscriptionId, err: &(dyn std::error::Error + 'static)) {
    tracing::error!(subscription.id = %id, error = err, "plugin version could not be followed");
}

/// The subscriptions that have something to change, each with its new plugin.
async fn moves(
    host: &Host,
    following: Vec<Arc<CompiledSubscription>>,
) -> Result<Vec<(Arc<CompiledSubscription>, PluginRef)>, StoreError> {
    let mut versions = HashMap::new();
    let mut moves = Vec::new();
    for compiled in following {
        let Subscription { id, space, plugin: Some(plugin), .. } = &compiled.subscription else { continue };
        let of = (space.clone(), plugin.name.clone());
        if !versions.contains_key(&of) {
            let found = usable(&*host.store, space, &plugin.name).await?;
            versions.insert(of.clone(), found);
        }
        match next(Checker::of(host, space), &versions[&of], plugin).await {
            Ok(Some(new)) => moves.push((compiled, new)),
            Ok(None) => {}
            Err(err) => could_not_follow(*id, &err),
        }
    }
    Ok(moves)
}

/// The new plugin, given these versions (newest first); none if it stays as it is.
async fn next(checker: Checker<'_>, versions: &[Plugin], used: &PluginRef) -> Result<Option<PluginRef>, ConfigError> {
    let newest = used.follows.as_ref().and_then(|range| newest_within(versions, range));
    // The same version may have another component: a space's own in place of a bundled one, or the bundled one of a newer
    // host.
    let newer = newest.filter(|newest| newest.version >= used.version && newest.digest != used.digest);
    let Some(newer) = newer else {
        let free = used.held_back.is_some().then(|| PluginRef { held_back: None, ..used.clone() });
        return Ok(free);
    };
    if used.held_back.as_ref().is_some_and(|held_back| held_back.version == newer.version) {
        return Ok(None);
    }
    let Plugin { version, digest, .. } = newer.clone();
    match configured(checker, &newer.config_schema, used.config.clone()).await {
        Ok(config) => Ok(Some(PluginRef { version, digest, config, held_back: None, ..used.clone() })),
        Err(err) if err.is_permanent() => {
            let held_back = Some(HeldBack { version, reason: err.to_string() });
            Ok(Some(PluginRef { held_back, ..used.clone() }))
        }
        Err(err) => Err(err),
    }
}

/// Writes a subscription that moves on, if it still uses what it was seen to use.
async fn move_on(
    host: &Host,
    changing: &Changing<'_>,
    seen: &CompiledSubscription,
    new: PluginRef,
) -> Result<(), StoreError> {
    let Subscription { id, space, plugin, .. } = &seen.subscription;
    let Some((mut subscription, _)) = host.store.subscription(space, *id).await? else { return Ok(()) };
    if subscription.plugin != *plugin {
        return Ok(());
    }
    let PluginRef { name, version, held_back, .. } = &new;
    // No subscription used it until now, so it may have been deleted since it was found.
    if !usable(&*host.store, space, name).await?.iter().any(|plugin| plugin.digest == new.digest) {
        return Ok(());
    }
    let held_back = held_back.as_ref().map(ToString::to_string);
    tracing::info!(subscription.id = %id, plugin = %name, %version, held_back, "followed a plugin's versions");
    subscription.set_plugin(Some(new));
    subscription.updated_at = host.clock.now();
    changing.save(&subscription, subscription.updated_at).await
}
