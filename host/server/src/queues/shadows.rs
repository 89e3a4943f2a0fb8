//! The queue of deliveries for shadows to run on, and the shadows' counts.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookmill_model::{Attempt, Delivery, PluginRef, SubscriptionId, Tally, TransformOutcome};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::config::ShadowConfig;
use crate::registry::CompiledSubscription;

/// A delivery whose first attempt was made, for its shadow to run on.
#[derive(Debug)]
pub struct ShadowJob {
    /// The subscription at that attempt.
    pub compiled: Arc<CompiledSubscription>,
    /// The delivery, as for a first attempt.
    pub delivery: Delivery,
    /// The outcome of that attempt's transform.
    pub outcome: TransformOutcome,
    /// The fuel that the attempt used.
    pub fuel_used: u64,
}

impl ShadowJob {
    /// Returns the job for this attempt; none if there is no shadow, or the attempt is not the first one of a live event.
    pub fn of(compiled: &Arc<CompiledSubscription>, delivery: &Delivery, attempt: &Attempt) -> Option<Self> {
        compiled.subscription.shadow.as_ref()?;
        if attempt.number != 1 || delivery.test || delivery.verbatim {
            return None;
        }
        let outcome = TransformOutcome::by(attempt)?;
        let fuel_used = attempt.figures.fuel_used;
        // The pinned plugin is the subscription's own, not the shadow.
        let delivery = Delivery { pinned: None, ..delivery.clone() };
        Some(Self { compiled: Arc::clone(compiled), delivery, outcome, fuel_used })
    }

    fn bytes(&self) -> usize {
        let sent = match &self.outcome {
            TransformOutcome::Request(request) => request.body.len(),
            TransformOutcome::Skipped(_) | TransformOutcome::Failed(_) => 0,
        };
        self.delivery.bytes() + sent
    }

    /// Returns the delivery's subscription.
    pub fn subscription_id(&self) -> SubscriptionId {
        self.delivery.subscription_id
    }
}

/// The waiting jobs, and the counts that are not written yet.
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
    fn has_room(&self, job: &ShadowJob, config: &ShadowConfig) -> bool {
        let own = self.of_subscription.get(&job.subscription_id()).copied().unwrap_or_default();
        self.queue.len() < config.waiting_max
            && own < config.waiting_per_subscription_max
            && self.bytes.saturating_add(job.bytes()) <= config.waiting_bytes_max
    }

    fn push(&mut self, job: ShadowJob) {
        self.bytes += job.bytes();
        *self.of_subscription.entry(job.subscription_id()).or_default() += 1;
        self.queue.push_back(job);
    }

    fn pop(&mut self) -> Option<ShadowJob> {
        let job = self.queue.pop_front()?;
        self.bytes -= job.bytes();
        let id = job.subscription_id();
        if let Some(own) = self.of_subscription.get_mut(&id) {
            *own -= 1;
            if *own == 0 {
                self.of_subscription.remove(&id);
            }
        }
        Some(job)
    }

    fn count(&mut self, id: SubscriptionId, plugin: &PluginRef, tally: Tally) {
        match self.counted.get_mut(&id) {
            Some((counted, before)) if counted == plugin => before.add(tally),
            // The counts of a previous shadow are obsolete.
            _ => _ = self.counted.insert(id, (plugin.clone(), tally)),
        }
    }
}

impl Shadows {
    /// Creates an empty queue with the configured limits.
    pub fn new(config: &ShadowConfig) -> Self {
        Self { config: config.clone(), inner: Mutex::default(), changed: Notify::new() }
    }

    /// Adds a job. Never waits: a job that does not fit is left out, and counted as left out.
    pub fn push(&self, job: Option<ShadowJob>) {
        let Some(job) = job else { return };
        let mut inner = self.lock();
        if inner.has_room(&job, &self.config) {
            inner.push(job);
        } else if let Some(plugin) = &job.compiled.subscription.shadow {
            inner.count(job.subscription_id(), plugin, Tally { left_out: 1, ..Tally::default() });
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Returns the next job.
    pub fn pop(&self) -> Option<ShadowJob> {
        self.lock().pop()
    }

    /// Resolves at the next push, even if that precedes the first poll.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Adds a shadow's counts.
    pub fn count(&self, id: SubscriptionId, plugin: &PluginRef, tally: Tally) {
        self.lock().count(id, plugin, tally);
    }

    /// Returns whether anything was counted since the last [`take_counted`](Self::take_counted).
    pub fn has_counted(&self) -> bool {
        !self.lock().counted.is_empty()
    }

    /// Returns the counts since the last call.
    pub fn take_counted(&self) -> Vec<(SubscriptionId, PluginRef, Tally)> {
        let counted = std::mem::take(&mut self.lock().counted);
        counted.into_iter().map(|(id, (plugin, tally))| (id, plugin, tally)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
