//! What happened lately, for people who look at a space: durations, the subscriptions that are slow or fail, and the use of
//! plugins. It is in memory, begins with the process, and has bounds; what is counted for good is in the store.

mod figures;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookmill_model::{Attempt, DeliveryState, Digest, SpaceId, Subscription, SubscriptionId};
use jiff::Timestamp;

use figures::{Distribution, Histogram, Slots};

/// Spaces that are followed: each takes some kilobytes. Beyond, those without an attempt for an hour are dropped; while there are
/// none, no other is followed.
const SPACES_MAX: usize = 10_000;

/// Subscriptions that are followed in one space: each takes less than a kilobyte, and who looks at the space sorts them all.
const SUBSCRIPTIONS_MAX: usize = 2_000;

/// The same in all spaces together.
const ALL_SUBSCRIPTIONS_MAX: usize = 20_000;

/// Plugins' versions that are followed in one space.
const PLUGINS_MAX: usize = 500;

/// Seconds between two searches for what may be dropped: with more than is followed, most attempts are of what is not.
const SWEEP_S: i64 = 60;

/// The last 15 to 20 minutes.
type Minutes<T> = Slots<T, 300, 3>;

/// The last 60 to 75 minutes.
type Hour<T> = Slots<T, 900, 4>;

/// What happened lately in all spaces.
#[derive(Debug, Default)]
pub struct Recent {
    spaces: Mutex<HashMap<SpaceId, Arc<OfSpace>>>,
    /// Subscriptions that are followed.
    followed: AtomicUsize,
    /// When what may be dropped was last searched for, in seconds.
    swept: AtomicI64,
}

#[derive(Debug, Default)]
struct OfSpace {
    /// Attempts in progress: first ones, and others.
    in_flight: [AtomicUsize; 2],
    lately: Mutex<Lately>,
}

#[derive(Debug, Default)]
struct Lately {
    /// When the last attempt began or ended, in seconds.
    last: i64,
    swept: i64,
    durations: Minutes<Durations>,
    subscriptions: HashMap<SubscriptionId, Hour<OfSubscription>>,
    plugins: HashMap<Digest, Minutes<OfPlugin>>,
}

#[derive(Debug, Default)]
struct Durations {
    send_us: Histogram,
    transform_us: Histogram,
}

#[derive(Debug, Default)]
struct OfSubscription {
    attempts: u64,
    delivered: u64,
    failed: u64,
    retried: u64,
    send_us: Histogram,
}

#[derive(Debug, Default)]
struct OfPlugin {
    transforms: u64,
    failures: u64,
    transform_us: Histogram,
    fuel: Histogram,
    /// The lowest limit; none if nothing ran.
    fuel_max: Option<u64>,
}

/// An attempt in progress; ends when it is dropped.
#[derive(Debug)]
pub struct InFlight {
    of: Option<Arc<OfSpace>>,
    again: bool,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(of) = &self.of {
            of.in_flight[usize::from(self.again)].fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Percentiles of durations, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// Half of the durations are not longer.
    pub p50_us: u64,
    /// 95 % of the durations are not longer.
    pub p95_us: u64,
}

/// What happened lately in a space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpaceFigures {
    /// First attempts in progress.
    pub in_flight_first: u64,
    /// Other attempts in progress.
    pub in_flight_again: u64,
    /// Time from sending a request to the end of its response, in the last 15 minutes; none if nothing was sent.
    pub sending: Option<Percentiles>,
    /// Time of plugins, in the last 15 minutes; none if none ran.
    pub transforming: Option<Percentiles>,
    /// The subscriptions that sent something in the last hour, the slowest first.
    pub slowest: Vec<SubscriptionFigures>,
    /// The subscriptions with failed attempts in the last hour, those with the most first.
    pub failing: Vec<SubscriptionFigures>,
}

/// What happened to a subscription in the last hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionFigures {
    /// The subscription.
    pub id: SubscriptionId,
    /// Attempts.
    pub attempts: u64,
    /// Deliveries that were delivered.
    pub delivered: u64,
    /// Deliveries that failed for good.
    pub failed: u64,
    /// Attempts that failed and are followed by another.
    pub retried: u64,
    /// The time of sending that 95 % do not exceed, in microseconds; none if nothing was sent.
    pub p95_us: Option<u64>,
}

/// The use of a plugin in the last 15 minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PluginFigures {
    /// Transforms.
    pub transforms: u64,
    /// Transforms that failed.
    pub failures: u64,
    /// The time that 95 % do not exceed, in microseconds; none if none ran.
    pub p95_us: Option<u64>,
    /// The fuel that 95 % do not exceed; none if none ran.
    pub p95_fuel: Option<u64>,
    /// The lowest limit on fuel that one had; none if none ran.
    pub fuel_limit: Option<u64>,
}

impl OfSpace {
    fn lately(&self) -> MutexGuard<'_, Lately> {
        // Poisoning does not matter: what was counted is right.
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    /// Counts an attempt as in progress until what is returned is dropped.
    pub fn begin(&self, space: &SpaceId, again: bool, now: Timestamp) -> InFlight {
        let of = self.followed_space(space, now);
        if let Some(of) = &of {
            of.in_flight[usize::from(again)].fetch_add(1, Ordering::Relaxed);
        }
        InFlight { of, again }
    }

    /// Counts an attempt that is no test, and the state that its delivery is in after it.
    pub fn attempted(&self, subscription: &Subscription, attempt: &Attempt, state: DeliveryState, now: Timestamp) {
        if self.followed.load(Ordering::Relaxed) >= ALL_SUBSCRIPTIONS_MAX {
            self.sweep(now.as_second());
        }
        let Some(of) = self.followed_space(&subscription.space, now) else { return };
        of.lately().attempted(&self.followed, subscription.id, attempt, state, now.as_second());
    }

    /// Returns what happened lately in a space.
    pub fn figures(&self, space: &SpaceId, now: Timestamp) -> SpaceFigures {
        let Some(of) = self.space(space) else { return SpaceFigures::default() };
        let in_flight = |again: usize| of.in_flight[again].load(Ordering::Relaxed) as u64;
        SpaceFigures {
            in_flight_first: in_flight(0),
            in_flight_again: in_flight(1),
            ..of.lately().figures(now.as_second())
        }
    }

    /// Returns the use of plugins in a space: for each group of versions, given by the digests of their components.
    pub fn plugins<'a>(
        &self,
        space: &SpaceId,
        groups: impl IntoIterator<Item = &'a Vec<Digest>>,
        now: Timestamp,
    ) -> Vec<PluginFigures> {
        let of = self.space(space);
        let lately = of.as_ref().map(|of| of.lately());
        let figures = |digests: &Vec<Digest>| {
            lately.as_ref().map(|lately| lately.plugin(digests, now.as_second())).unwrap_or_default()
        };
        groups.into_iter().map(figures).collect()
    }

    fn space(&self, space: &SpaceId) -> Option<Arc<OfSpace>> {
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner).get(space).cloned()
    }

    /// Returns a space that has an attempt now; none if there is no room for it.
    fn followed_space(&self, space: &SpaceId, now: Timestamp) -> Option<Arc<OfSpace>> {
        let spaces = || self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of) = self.space(space) {
            return Some(of);
        }
        if spaces().len() >= SPACES_MAX {
            self.sweep(now.as_second());
        }
        let mut spaces = spaces();
        if spaces.len() >= SPACES_MAX {
            return None;
        }
        let of = spaces.entry(space.clone()).or_default().clone();
        of.lately().last = now.as_second();
        Some(of)
    }

    /// Drops subscriptions without an attempt lately, and spaces where all are, at most once in [`SWEEP_S`].
    fn sweep(&self, now: i64) {
        let swept = self.swept.load(Ordering::Relaxed);
        if now - swept < SWEEP_S
            || self.swept.compare_exchange(swept, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, of| {
            let mut lately = of.lately();
            lately.drop_unless(&self.followed, |of| of.all(now).next().is_some());
            lately.last > now - 3_600
        });
    }
}

impl Lately {
    fn attempted(
        &mut self,
        followed: &AtomicUsize,
        id: SubscriptionId,
        attempt: &Attempt,
        state: DeliveryState,
        now: i64,
    ) {
        self.last = self.last.max(now);
        let ran = attempt.figures.fuel_max > 0 || attempt.fault_of_plugin().is_some();
        let durations = self.durations.current(now);
        if attempt.request.is_some() {
            durations.send_us.count(attempt.send_us);
        }
        if ran {
            durations.transform_us.count(attempt.figures.transform_us);
        }
        if let Some(digest) = attempt.plugin_digest.filter(|_| ran) {
            self.transformed(digest, attempt, now);
        }
        let full =
            self.subscriptions.len() >= SUBSCRIPTIONS_MAX || followed.load(Ordering::Relaxed) >= ALL_SUBSCRIPTIONS_MAX;
        if full && !self.subscriptions.contains_key(&id) && !self.sweep(followed, now) {
            return;
        }
        let of = match self.subscriptions.entry(id) {
            Entry::Occupied(of) => of.into_mut(),
            Entry::Vacant(new) => {
                followed.fetch_add(1, Ordering::Relaxed);
                new.insert(Hour::default())
            }
        };
        let of = of.current(now);
        of.attempts += 1;
        match state {
            DeliveryState::Delivered => of.delivered += 1,
            DeliveryState::Failed => of.failed += 1,
            DeliveryState::Pending => of.retried += 1,
            DeliveryState::Held | DeliveryState::Skipped | DeliveryState::Cancelled => {}
        }
        if attempt.request.is_some() {
            of.send_us.count(attempt.send_us);
        }
    }

    fn transformed(&mut self, digest: Digest, attempt: &Attempt, now: i64) {
        if self.plugins.len() >= PLUGINS_MAX && !self.plugins.contains_key(&digest) {
            self.plugins.retain(|_, of| of.all(now).next().is_some());
            if self.plugins.len() >= PLUGINS_MAX {
                return;
            }
        }
        let of = self.plugins.entry(digest).or_default().current(now);
        of.transforms += 1;
        of.failures += u64::from(attempt.fault_of_plugin().is_some());
        of.transform_us.count(attempt.figures.transform_us);
        of.fuel.count(attempt.figures.fuel_used);
        let limit = Some(attempt.figures.fuel_max).filter(|limit| *limit > 0);
        of.fuel_max = of.fuel_max.into_iter().chain(limit).min();
    }

    /// Drops the subscriptions without a failure lately, at most once in [`SWEEP_S`]. True if there is room now.
    fn sweep(&mut self, followed: &AtomicUsize, now: i64) -> bool {
        if now - self.swept < SWEEP_S {
            return false;
        }
        self.swept = now;
        self.drop_unless(followed, |of| of.all(now).any(|of| of.failed + of.retried > 0)) > 0
    }

    fn drop_unless(&mut self, followed: &AtomicUsize, keep: impl Fn(&Hour<OfSubscription>) -> bool) -> usize {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|_, of| keep(of));
        let dropped = before - self.subscriptions.len();
        followed.fetch_sub(dropped, Ordering::Relaxed);
        dropped
    }

    fn figures(&self, now: i64) -> SpaceFigures {
        let (mut sending, mut transforming) = (Distribution::default(), Distribution::default());
        for durations in self.durations.all(now) {
            sending.add(&durations.send_us);
            transforming.add(&durations.transform_us);
        }
        let all: Vec<_> = self.subscriptions.iter().map(|(id, of)| subscription(*id, of, now)).collect();
        let mut slowest: Vec<_> = all.iter().filter(|of| of.p95_us.is_some()).copied().collect();
        slowest.sort_unstable_by_key(|of| (std::cmp::Reverse(of.p95_us), of.id));
        let mut failing: Vec<_> = all.into_iter().filter(|of| of.failed + of.retried > 0).collect();
        failing.sort_unstable_by_key(|of| (std::cmp::Reverse(of.failed + of.retried), of.id));
        let (sending, transforming) = (percentiles(&sending), percentiles(&transforming));
        SpaceFigures { sending, transforming, slowest, failing, ..SpaceFigures::default() }
    }

    fn plugin(&self, digests: &[Digest], now: i64) -> PluginFigures {
        let mut figures = PluginFigures::default();
        let (mut time, mut fuel) = (Distribution::default(), Distribution::default());
        for of in digests.iter().filter_map(|digest| self.plugins.get(digest)).flat_map(|of| of.all(now)) {
            figures.transforms += of.transforms;
            figures.failures += of.failures;
            figures.fuel_limit = figures.fuel_limit.into_iter().chain(of.fuel_max).min();
            time.add(&of.transform_us);
            fuel.add(&of.fuel);
        }
        PluginFigures { p95_us: time.percentile(95), p95_fuel: fuel.percentile(95), ..figures }
    }
}

fn subscription(id: SubscriptionId, slots: &Hour<OfSubscription>, now: i64) -> SubscriptionFigures {
    let (mut attempts, mut delivered, mut failed, mut retried) = (0, 0, 0, 0);
    let mut sending = Distribution::default();
    for of in slots.all(now) {
        attempts += of.attempts;
        delivered += of.delivered;
        failed += of.failed;
        retried += of.retried;
        sending.add(&of.send_us);
    }
    SubscriptionFigures { id, attempts, delivered, failed, retried, p95_us: sending.percentile(95) }
}

fn percentiles(durations: &Distribution) -> Option<Percentiles> {
    Some(Percentiles { p50_us: durations.percentile(50)?, p95_us: durations.percentile(95)? })
}
