//! Leases: the deliveries that workers of this process hold. They are in memory, since a process that dies holds nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use hookmill_model::{Event, SubscriptionId};
use jiff::Timestamp;

/// A worker's hold on a delivery, with what recording its result needs.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    /// When it expires, in microseconds; identifies the lease.
    pub(super) until: i64,
    pub(super) subscription_id: SubscriptionId,
    /// The key of the subscription.
    pub(super) subscription: i64,
    /// The key of the space.
    pub(super) space: i64,
    /// Whether it was taken on acceptance: the delivery has no row in `waiting`.
    pub(super) fresh: bool,
    /// The first event, whose data is the dictionary of kept bodies.
    pub(super) event: Arc<Event>,
}

/// All leases, by the keys of their deliveries.
#[derive(Debug, Default)]
pub(super) struct Leases {
    all: HashMap<i64, Lease>,
    /// Fresh ones by expiry, and by key.
    fresh_by_end: BTreeSet<(i64, i64)>,
    fresh: BTreeSet<i64>,
}

impl Leases {
    /// Returns a delivery's lease.
    pub(super) fn get(&self, key: i64) -> Option<&Lease> {
        self.all.get(&key)
    }

    /// Sets or removes a delivery's lease; returns the one before.
    pub(super) fn set(&mut self, key: i64, lease: Option<Lease>) -> Option<Lease> {
        let fresh = lease.as_ref().filter(|lease| lease.fresh).map(|lease| lease.until);
        let before = match lease {
            Some(lease) => self.all.insert(key, lease),
            None => self.all.remove(&key),
        };
        if let Some(before) = before.as_ref().filter(|before| before.fresh) {
            self.fresh_by_end.remove(&(before.until, key));
            self.fresh.remove(&key);
        }
        if let Some(until) = fresh {
            self.fresh_by_end.insert((until, key));
            self.fresh.insert(key);
        }
        before
    }

    /// Returns the lowest key of a fresh delivery.
    pub(super) fn first_fresh(&self) -> Option<i64> {
        self.fresh.first().copied()
    }

    /// Returns the fresh deliveries of a space, newest first.
    pub(super) fn fresh_of(&self, space: i64) -> Vec<i64> {
        self.fresh.iter().rev().copied().filter(|key| self.all.get(key).is_some_and(|it| it.space == space)).collect()
    }

    /// Returns the number of a space's fresh deliveries, and when the first was accepted.
    pub(super) fn fresh_first(&self, space: i64) -> (usize, Option<Timestamp>) {
        let mut of_space = self.fresh.iter().filter_map(|key| self.all.get(key)).filter(|it| it.space == space);
        let first = of_space.next().map(|lease| lease.event.accepted_at);
        (usize::from(first.is_some()) + of_space.count(), first)
    }

    /// Returns the number of a space's fresh deliveries by the keys of their subscriptions.
    pub(super) fn fresh_counts(&self, space: i64) -> HashMap<i64, u64> {
        let mut counts = HashMap::new();
        for lease in self.fresh.iter().filter_map(|key| self.all.get(key)).filter(|it| it.space == space) {
            *counts.entry(lease.subscription).or_default() += 1;
        }
        counts
    }

    /// Returns the fresh deliveries whose leases have expired.
    pub(super) fn fresh_expired(&self, now: i64) -> Vec<i64> {
        self.fresh_by_end.iter().take_while(|(until, _)| *until <= now).map(|(_, key)| *key).collect()
    }

    /// Returns the keys of all leased deliveries.
    pub(super) fn keys(&self) -> Vec<i64> {
        self.all.keys().copied().collect()
    }

    /// Returns what looking for due deliveries needs.
    pub(super) fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for (key, lease) in &self.all {
            if !lease.fresh {
                summary.waiting.insert(*key);
            }
            let first = summary.first_end.entry(lease.subscription).or_insert((lease.subscription_id, lease.until));
            first.1 = first.1.min(lease.until);
        }
        summary
    }
}

/// The leases at one moment.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Leased deliveries with a row in `waiting`.
    pub(super) waiting: HashSet<i64>,
    /// By the subscription's key, its id and when the first of its leases expires.
    pub(super) first_end: HashMap<i64, (SubscriptionId, i64)>,
}
