//! Plugins that deliveries wait for. Each is read from disk or compiled in a task of its own, once for all deliveries that
//! need it, so that a plugin that compiles for a minute delays its own subscriptions only.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use hookmill_model::{Delivery, Digest, SubscriptionId};
use jiff::{SignedDuration, Timestamp};
use tokio::task::{JoinError, JoinSet};

use super::lane::{Check, Pace};
use crate::dispatch::{digest, prepared};
use crate::host::Host;

/// How long a plugin that could not be prepared is not tried again: compiling it for each of its deliveries would keep a
/// core busy, and each of them is retried when its lease expires.
const FAILED_FOR: SignedDuration = SignedDuration::from_secs(60);

/// A task that ended: which plugin it prepared, or why it could not.
pub(super) type Ended = (Digest, anyhow::Result<()>);

/// The plugins that are being prepared.
#[derive(Debug)]
pub(super) struct Preparing {
    tasks: JoinSet<Ended>,
    /// The subscriptions whose lanes are held until a task ends.
    waiting: HashMap<Digest, Vec<SubscriptionId>>,
    /// Until when a plugin that could not be prepared is not tried again.
    failed: HashMap<Digest, Timestamp>,
}

impl Preparing {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), waiting: HashMap::new(), failed: HashMap::new() }
    }

    /// Whether an attempt at `delivery` can begin at once, and at which pace; else its plugin is prepared, and
    /// [`ended`](Self::ended) returns the delivery's subscription when that is over.
    pub(super) fn check(&mut self, host: &Arc<Host>, delivery: &Delivery) -> Check {
        let Some(compiled) = host.registry.get(delivery.subscription_id) else { return Check::At(Pace::default()) };
        let needed = if delivery.verbatim { None } else { digest(&compiled, delivery) };
        if needed.is_none_or(|digest| self.can_start(host, delivery, digest)) {
            Check::At(Pace::of(&compiled.subscription, || host.clock.now()))
        } else {
            Check::Held
        }
    }

    fn can_start(&mut self, host: &Arc<Host>, delivery: &Delivery, digest: Digest) -> bool {
        if host.engine.prepared(&digest).is_some() || self.failed_recently(host, &digest) {
            return true;
        }
        let waiting = match self.waiting.entry(digest) {
            Entry::Occupied(waiting) => waiting.into_mut(),
            Entry::Vacant(none) => {
                let (host, space) = (Arc::clone(host), delivery.event.space.clone());
                self.tasks.spawn(async move { (digest, prepared(&host, Some(&space), digest).await.map(drop)) });
                none.insert(Vec::new())
            }
        };
        waiting.push(delivery.subscription_id);
        false
    }

    /// The plugin of `delivery`, if preparing it failed a short time ago.
    pub(super) fn failed(&mut self, host: &Host, delivery: &Delivery) -> Option<Digest> {
        if self.failed.is_empty() {
            return None;
        }
        plugin_of(host, delivery).filter(|digest| self.failed_recently(host, digest))
    }

    fn failed_recently(&mut self, host: &Host, digest: &Digest) -> bool {
        let Some(until) = self.failed.get(digest) else { return false };
        let is_recent = host.clock.now() < *until;
        if !is_recent {
            self.failed.remove(digest);
        }
        is_recent
    }

    /// Waits until a task ends; none if there is none.
    pub(super) async fn join_next(&mut self) -> Option<Result<Ended, JoinError>> {
        self.tasks.join_next().await
    }

    /// Takes note of a task that ended. Returns the subscriptions that waited for it.
    pub(super) fn ended(&mut self, host: &Host, (digest, result): Ended) -> Vec<SubscriptionId> {
        if let Err(err) = result {
            tracing::error!(plugin.digest = %digest, error = format!("{err:#}"), "plugin could not be prepared");
            let now = host.clock.now();
            self.failed.insert(digest, now.checked_add(FAILED_FOR).unwrap_or(now));
        }
        self.waiting.remove(&digest).unwrap_or_default()
    }

    /// Stops all tasks.
    pub(super) fn stop(&mut self) {
        self.tasks = JoinSet::new();
        self.waiting.clear();
    }
}

/// The plugin that must run for this delivery, if one must.
fn plugin_of(host: &Host, delivery: &Delivery) -> Option<Digest> {
    if delivery.verbatim {
        return None;
    }
    let compiled = host.registry.get(delivery.subscription_id)?;
    digest(&compiled, delivery)
}
