//! Shadow: a plugin that runs beside a subscription's own on live events, without sending.
//!
//! Once the first attempt at a delivery is recorded, what it made is put into a queue ([`Shadows::push`]). One task
//! takes from there, runs the shadow on the same delivery, holds what it makes against what was sent, and counts. It
//! never comes before a delivery and never changes one. All that shadows can take of the host is CPU, no more than one
//! thread has, and one turn of the engine; what the queue has no room for is left out, and counted as that.
//!
//! Counts are written at most once a second. A host that is killed loses those of the last second, and what stood in
//! the queue.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Host;
use crate::compare::differing;
use crate::model::{Attempt, Delivery, Difference, PluginRef, SubscriptionId, Tally};
use crate::preview::{Made, Preview, preview};
use crate::registry::Live;

/// Deliveries that wait for their shadow: with the bound on bytes, what a burst may take of memory.
const QUEUE_MAX: usize = 1_024;

/// Of one subscription, so that a shadow that loops leaves room for the others'.
const QUEUE_PER_SUBSCRIPTION_MAX: usize = 256;

/// Bytes of events and requests that wait.
const QUEUE_BYTES_MAX: usize = 32 << 20;

/// How often counts are written.
const WRITE_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// A delivery whose first attempt was made, for its shadow.
#[derive(Debug)]
pub struct Seen {
    live: Arc<Live>,
    delivery: Delivery,
    made: Made,
    fuel_used: u64,
}

impl Seen {
    /// What the shadow is to see of this attempt; none if there is no shadow, or the attempt is no live event's first.
    pub fn of(live: &Arc<Live>, delivery: &Delivery, attempt: &Attempt) -> Option<Self> {
        live.subscription.shadow.as_ref()?;
        if attempt.number != 1 || delivery.test || delivery.exact {
            return None;
        }
        let made = Made::by(attempt)?;
        let fuel_used = attempt.figures.fuel_used;
        // What shaped the first attempt is not what shapes the shadow's.
        let delivery = Delivery { setup: None, ..delivery.clone() };
        Some(Self { live: Arc::clone(live), delivery, made, fuel_used })
    }

    fn bytes(&self) -> usize {
        let sent = match &self.made {
            Made::Request(request) => request.body.len(),
            Made::Skipped(_) | Made::Failed(_) => 0,
        };
        self.delivery.bytes() + sent
    }

    fn subscription_id(&self) -> SubscriptionId {
        self.delivery.subscription_id
    }
}

/// What waits for its shadow, and what was counted and is not written yet.
#[derive(Debug, Default)]
pub struct Shadows {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<Seen>,
    bytes: usize,
    of_subscription: HashMap<SubscriptionId, usize>,
    counted: HashMap<SubscriptionId, (PluginRef, Tally)>,
}

impl Inner {
    fn has_room(&self, seen: &Seen) -> bool {
        let own = self.of_subscription.get(&seen.subscription_id()).copied().unwrap_or_default();
        self.queue.len() < QUEUE_MAX
            && own < QUEUE_PER_SUBSCRIPTION_MAX
            && self.bytes.saturating_add(seen.bytes()) <= QUEUE_BYTES_MAX
    }

    fn push(&mut self, seen: Seen) {
        self.bytes += seen.bytes();
        *self.of_subscription.entry(seen.subscription_id()).or_default() += 1;
        self.queue.push_back(seen);
    }

    fn pop(&mut self) -> Option<Seen> {
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
    /// Hands over what an attempt made. Never waits: where there is no room, it is left out.
    pub fn push(&self, seen: Option<Seen>) {
        let Some(seen) = seen else { return };
        let mut inner = self.lock();
        if inner.has_room(&seen) {
            inner.push(seen);
        } else if let Some(plugin) = &seen.live.subscription.shadow {
            inner.count(seen.subscription_id(), plugin, Tally { left_out: 1, ..Tally::default() });
        }
        drop(inner);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs shadows until `shutdown`, and writes what was counted by then.
pub async fn run(host: Arc<Host>, shutdown: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work(&host) => {}
    }
    write(&host).await;
}

/// Runs the shadows of all that waits, and writes what was counted: how tests step.
pub async fn run_once(host: &Host) {
    while let Some(seen) = next(host) {
        run_beside(host, seen).await;
    }
    write(host).await;
}

async fn work(host: &Host) {
    let mut next_write = Timestamp::MIN;
    loop {
        // Registered before looking, so that nothing that comes in between is overslept.
        let changed = host.shadows.changed.notified();
        while let Some(seen) = next(host) {
            run_beside(host, seen).await;
            write_at(host, &mut next_write).await;
        }
        write_at(host, &mut next_write).await;
        let counted = !host.shadows.lock().counted.is_empty();
        tokio::select! {
            () = changed => {}
            () = host.clock.sleep_until(next_write), if counted => {}
        }
    }
}

fn next(host: &Host) -> Option<Seen> {
    host.shadows.lock().pop()
}

/// Runs a shadow on what was sent.
async fn run_beside(host: &Host, seen: Seen) {
    let id = seen.subscription_id();
    let Some((plugin, beside)) = seen.live.subscription.shadow.as_ref().zip(seen.live.beside()) else { return };
    let still = || host.registry.get(id).is_some_and(|live| live.subscription.shadow.as_ref() == Some(plugin));
    if !still() {
        return;
    }
    let run = preview(host, beside, &seen.delivery, 1).await;
    let tally = match run {
        Ok(preview) => tally(&seen.delivery, seen.made, seen.fuel_used, preview).await,
        Err(err) => {
            tracing::error!(subscription.id = %id, error = format!("{err:#}"), "a shadow could not be run");
            Tally { left_out: 1, ..Tally::default() }
        }
    };
    if still() {
        host.shadows.lock().count(id, plugin, tally);
    }
}

/// One run, counted.
async fn tally(delivery: &Delivery, made: Made, fuel_used_active: u64, preview: Preview) -> Tally {
    let fuel_used = preview.figures.fuel_used;
    let mut tally = Tally { runs: 1, fuel_used, fuel_used_active, ..Tally::default() };
    tally.skipped = u64::from(matches!(preview.made, Made::Skipped(_)));
    tally.failed = preview.fault().map(|fault| (fault.code, 1)).into_iter().collect();
    match differing(made, preview.made).await {
        None => tally.same = 1,
        Some(changes) => {
            tally.different = 1;
            let event = &delivery.event;
            let (event_id, event_type) = (event.id.clone(), event.kind.clone());
            tally.differences = vec![Difference { event_id, event_type, changes: changes.list, more: changes.more }];
        }
    }
    tally
}

async fn write_at(host: &Host, next_write: &mut Timestamp) {
    let now = host.clock.now();
    if now >= *next_write && write(host).await {
        *next_write = now.checked_add(WRITE_EVERY).unwrap_or(Timestamp::MAX);
    }
}

/// Writes what was counted; false if there is nothing.
async fn write(host: &Host) -> bool {
    let counted = std::mem::take(&mut host.shadows.lock().counted);
    if counted.is_empty() {
        return false;
    }
    let counted = counted.into_iter().map(|(id, (plugin, tally))| (id, plugin, tally)).collect();
    if let Err(err) = host.store.count_shadows(counted).await {
        // They are counts: not worth holding on to while the store fails.
        tracing::error!(error = &err as &dyn std::error::Error, "what shadows did was not written");
    }
    true
}
