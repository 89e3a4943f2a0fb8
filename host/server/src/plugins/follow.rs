//! Subscriptions that follow a range of versions move on to the newest.
//!
//! A configuration is checked without holding up others, and then the subscription must still use the plugin that it
//! was checked for; else it is looked at anew. Nobody moves back to an older version, nor to a configuration that the
//! new version's schema does not take: such a subscription stays, and tells why.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use super::versions::{configured, newest_within, usable};
use crate::error::{Code, Error};
use crate::host::Host;
use crate::registry::{Changing, CompiledSubscription};
use hookmill_model::{Plugin, PluginName, PluginRef, SpaceId, Subscription, SubscriptionId};
use hookmill_store::StoreError;

/// How often what was changed by others meanwhile is looked at anew; each of them moved it on by itself.
const ROUNDS_MAX: u32 = 3;

/// Subscriptions written at once, which share their commits.
const WRITES_MAX: usize = 64;

/// Lets a space's subscriptions that follow versions of this plugin use the newest that they can.
pub async fn follow(host: &Host, space: &SpaceId, name: &PluginName) -> Result<(), Error> {
    follow_all(host, || {
        host.registry.all(|subscription| subscription.space == *space && follows(subscription, |plugin| plugin == name))
    })
    .await
}

/// Lets a subscription use the newest version that it follows, if it follows any.
pub async fn catch_up(host: &Host, id: SubscriptionId) -> Result<(), Error> {
    let one = || host.registry.get(id).filter(|live| follows(&live.subscription, |_| true));
    follow_all(host, || one().into_iter().collect()).await
}

/// The same for all subscriptions there are, when the host starts: the bundled plugins may have new versions, and it may
/// have ended in the middle of an upload.
async fn follow_everywhere(host: &Host) -> Result<(), Error> {
    follow_all(host, || host.registry.all(|subscription| follows(subscription, |_| true))).await
}

fn follows(subscription: &Subscription, meant: impl Fn(&PluginName) -> bool) -> bool {
    subscription.plugin.as_ref().is_some_and(|plugin| plugin.follows.is_some() && meant(&plugin.name))
}

async fn follow_all(host: &Host, following: impl Fn() -> Vec<Arc<CompiledSubscription>>) -> Result<(), Error> {
    for _ in 0..ROUNDS_MAX {
        let moves = moves(host, following()).await?;
        if moves.is_empty() {
            break;
        }
        let changing = host.registry.changing().await;
        let writes = futures::stream::iter(moves).map(|(live, new)| move_on(host, &changing, live, new));
        writes.buffer_unordered(WRITES_MAX).try_collect::<()>().await?;
    }
    Ok(())
}

/// The subscriptions that have something to change, each with what its plugin is to be.
async fn moves(
    host: &Host,
    following: Vec<Arc<CompiledSubscription>>,
) -> Result<Vec<(Arc<CompiledSubscription>, PluginRef)>, Error> {
    let mut versions = HashMap::new();
    let mut moves = Vec::new();
    for live in following {
        let Subscription { space, plugin: Some(plugin), .. } = &live.subscription else { continue };
        let of = (space.clone(), plugin.name.clone());
        if !versions.contains_key(&of) {
            let found = usable(&*host.store, space, &plugin.name).await?;
            versions.insert(of.clone(), found);
        }
        if let Some(new) = next(&versions[&of], plugin).await? {
            moves.push((live, new));
        }
    }
    Ok(moves)
}

/// What a plugin is to be in view of these versions, newest first; none if it stays as it is.
async fn next(versions: &[Plugin], used: &PluginRef) -> Result<Option<PluginRef>, Error> {
    let newest = used.follows.as_ref().and_then(|range| newest_within(versions, range));
    // Under the same version there may be another component: a space's own in place of a bundled one, or the bundled
    // one of the host's next version.
    let newer = newest.filter(|newest| newest.version >= used.version && newest.digest != used.digest);
    let Some(newer) = newer else {
        let free = used.held_back.is_some().then(|| PluginRef { held_back: None, ..used.clone() });
        return Ok(free);
    };
    let known = format!("{}: ", newer.version);
    if used.held_back.as_ref().is_some_and(|held_back| held_back.starts_with(&known)) {
        return Ok(None);
    }
    match configured(newer, used.config.clone(), "").await {
        Ok(config) => {
            let Plugin { version, digest, .. } = newer.clone();
            Ok(Some(PluginRef { version, digest, config, held_back: None, ..used.clone() }))
        }
        Err(problem) if problem.is(Code::FieldInvalid) => {
            Ok(Some(PluginRef { held_back: Some(known + problem.detail()), ..used.clone() }))
        }
        Err(problem) => Err(problem),
    }
}

/// Writes a subscription that moves on, if it still uses what it was seen to use.
async fn move_on(
    host: &Host,
    changing: &Changing<'_>,
    seen: Arc<CompiledSubscription>,
    new: PluginRef,
) -> Result<(), StoreError> {
    let Subscription { id, space, plugin, .. } = &seen.subscription;
    let Some((mut subscription, _)) = host.store.subscription(space, *id).await? else { return Ok(()) };
    if subscription.plugin != *plugin {
        return Ok(());
    }
    let PluginRef { name, version, held_back, .. } = &new;
    // Nobody used it until now, so it may have been deleted since it was found.
    if !usable(&*host.store, space, name).await?.iter().any(|plugin| plugin.digest == new.digest) {
        return Ok(());
    }
    tracing::info!(subscription.id = %id, plugin = %name, %version, held_back, "followed a plugin's versions");
    subscription.set_plugin(Some(new));
    subscription.updated_at = host.clock.now();
    changing.save(&subscription, subscription.updated_at).await
}

/// Lets subscriptions use the newest versions that they follow, when a host starts: the bundled plugins may have new ones.
/// A subscription that cannot be moved now is moved by the next upload or start.
pub async fn at_start(host: &Host) {
    if let Err(error) = follow_everywhere(host).await {
        tracing::error!(?error, "subscriptions do not follow their plugins' versions");
    }
}
