//! Deliveries whose first attempt was made, for their shadows, and what the shadows did.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookmill_model::{Attempt, Delivery, PluginRef, SubscriptionId, Tally, TransformOutcome};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::config::ShadowConfig;
use crate::registry::CompiledSubscription;

/// A delivery whose first attempt was made, for its shadow.
#[derive(Debug)]
pub struct ShadowJob {
    /// The subscription at that attempt.
    pub live: Arc<CompiledSubscription>,
    /// The delivery, as for a first attempt.
    pub delivery: Delivery,
    /// What that attempt made.
    pub made: TransformOutcome,
    /// The fuel that it used.
    pub fuel_used: u64,
}

impl ShadowJob {
    /// What the shadow is to see of this attempt; none if there is no shadow, or the attempt is no live event's first.
    pub fn of(live: &Arc<CompiledSubscription>, delivery: &Delivery, attempt: &Attempt) -> Option<Self> {
        live.subscription.shadow.as_ref()?;
        if attempt.number != 1 || delivery.test || delivery.verbatim {
            return None;
        }
        let made = TransformOutcome::by(attempt)?;
        let fuel_used = attempt.figures.fuel_used;
        // What shaped the first attempt is not what shapes the shadow's.
        let delivery = Delivery { pinned: None, ..delivery.clone() };
        Some(Self { live: Arc::clone(live), delivery, made, fuel_used })
    }

    fn bytes(&self) -> usize {
        let sent = match &self.made {
            TransformOutcome::Request(request) => request.body.len(),
            TransformOutcome::Skipped(_) | TransformOutcome::Failed(_) => 0,
        };
        self.delivery.bytes() + sent
    }

    /// Whose it is.
    pub fn subscription_id(&self) -> SubscriptionId {
        self.delivery.subscription_id
    }
}

/// What waits for its shadow, and what was counted and is not written yet.
#[derive(Debug)]
pub struct Shadows {
    config: ShadowConfig,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<ShadowJob>,
    bytes: usize,
    of_subscription: HashMap<SubscriptionId, usize>,
    counted: HashMap<SubscriptionId, (PluginRef, Tally)>,
}

impl Inner {
    fn has_room(&self, seen: &ShadowJob, config: &ShadowConfig) -> bool {
        let own = self.of_subscription.get(&seen.subscription_id()).copied().unwrap_or_default();
        self.queue.len() < config.waiting_max
            && own < config.waiting_per_subscription_max
            && self.bytes.saturating_add(seen.bytes()) <= config.waiting_bytes_max
    }

    fn push(&mut self, seen: ShadowJob) {
        self.bytes += seen.bytes();
        *self.of_subscription.entry(seen.subscription_id()).or_default() += 1;
        self.queue.push_back(seen);
    }

    fn pop(&mut self) -> Option<ShadowJob> {
        let seen = self.queue.pop_front()?;
        self.bytes -= seen.bytes();
        let id = seen.subscription_id();
        if let Some(own) = self.of_subscription.get_mut(&id) {
            *own -= 1;
            if *own == 0 {
                self.of_subscription.remove(&id);
            }
        }
        Some(seen)
    }

    fn count(&mut self, id: SubscriptionId, plugin: &PluginRef, tally: Tally) {
        match self.counted.get_mut(&id) {
            Some((counted, before)) if counted == plugin => before.add(tally),
            // What another shadow did is of no interest any more.
            _ => _ = self.counted.insert(id, (plugin.clone(), tally)),
        }
    }
}

impl Shadows {
    /// An empty queue with the configured room.
    pub fn new(config: &ShadowConfig) -> Self {
        Self { config: config.clone(), inner: Mutex::default(), changed: Notify::new() }
    }

    /// Hands over what an attempt made. Never waits: where there is no room, it is left out.
    pub fn push(&self, seen: Option<ShadowJob>) {
        let Some(seen) = seen else { return };
        let mut inner = self.lock();
        if inner.has_room(&seen, &self.config) {
            inner.push(seen);
        } else if let Some(plugin) = &seen.live.subscription.shadow {
            inner.count(seen.subscription_id(), plugin, Tally { left_out: 1, ..Tally::default() });
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// The next delivery for its shadow.
    pub fn pop(&self) -> Option<ShadowJob> {
        self.lock().pop()
    }

    /// Resolves at the next push, even if it comes before the first poll.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Adds what a shadow did.
    pub fn count(&self, id: SubscriptionId, plugin: &PluginRef, tally: Tally) {
        self.lock().count(id, plugin, tally);
    }

    /// Whether anything was counted since the last [`take_counted`](Self::take_counted).
    pub fn has_counted(&self) -> bool {
        !self.lock().counted.is_empty()
    }

    /// What was counted since the last call.
    pub fn take_counted(&self) -> Vec<(SubscriptionId, PluginRef, Tally)> {
        let counted = std::mem::take(&mut self.lock().counted);
        counted.into_iter().map(|(id, (plugin, tally))| (id, plugin, tally)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
