//! From accepting to delivering, through memory.
//!
//! A delivery that is due at once need not be read back from its row: who accepts it claims it in the same transaction
//! and pushes it here. There is room for a bounded number and a bounded size; what finds none stays in its row, and the
//! loop fetches it when it comes to it.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::config::DeliverConfig;
use crate::model::Delivery;

/// The way in; clones share it.
#[derive(Clone, Debug)]
pub struct Inbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    arrived: Mutex<Vec<Claimed>>,
    /// The earliest time, in microseconds, at which a row is known to be due; `i64::MAX` when none is.
    due_us: AtomicI64,
    changed: Notify,
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    waiting_max: usize,
    waiting_bytes_max: usize,
}

/// A delivery that is claimed, with its place in memory.
#[derive(Debug)]
pub struct Claimed {
    /// The delivery.
    pub delivery: Delivery,
    /// Its place.
    pub room: Room,
}

/// A place in memory for one delivery; given back when it is dropped.
#[derive(Debug)]
pub struct Room {
    inbox: Inbox,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.inbox.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.inbox.0.waiting_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Inbox {
    /// An empty one with the configured room.
    pub fn new(config: &DeliverConfig) -> Self {
        Self(Arc::new(Inner {
            arrived: Mutex::default(),
            due_us: AtomicI64::new(i64::MAX),
            changed: Notify::new(),
            waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
            waiting_max: config.waiting_max,
            waiting_bytes_max: config.waiting_bytes_max,
        }))
    }

    /// How many more deliveries there is room for.
    pub fn free(&self) -> usize {
        let inner = &*self.0;
        if inner.waiting_bytes.load(Ordering::Relaxed) >= inner.waiting_bytes_max {
            return 0;
        }
        inner.waiting_max.saturating_sub(inner.waiting.load(Ordering::Relaxed))
    }

    /// A place for one delivery of an event of that size, if there is one.
    ///
    /// Looking and taking are two steps, so two callers can go over the bound by one delivery each: it bounds memory,
    /// nothing else rests on it.
    pub fn reserve(&self, event_bytes: usize) -> Option<Room> {
        (self.free() > 0).then(|| self.take(event_bytes))
    }

    /// A place, whether there is one or not: for what is in memory already.
    pub fn take(&self, event_bytes: usize) -> Room {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        self.0.waiting_bytes.fetch_add(event_bytes, Ordering::Relaxed);
        Room { inbox: self.clone(), bytes: event_bytes }
    }

    /// Hands over deliveries that were claimed and committed.
    pub fn push(&self, claimed: Vec<Claimed>) {
        if !claimed.is_empty() {
            self.arrived().extend(claimed);
            self.0.changed.notify_one();
        }
    }

    /// Tells that a row is due at that time.
    pub fn due(&self, at: Timestamp) {
        let at = at.as_microsecond();
        if self.0.due_us.fetch_min(at, Ordering::AcqRel) > at {
            self.0.changed.notify_one();
        }
    }

    /// What was pushed since the last call.
    pub(super) fn arrivals(&self) -> Vec<Claimed> {
        std::mem::take(&mut *self.arrived())
    }

    /// When the next row is known to be due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let due = self.0.due_us.load(Ordering::Acquire);
        (due != i64::MAX).then(|| Timestamp::from_microsecond(due).unwrap_or(Timestamp::MAX))
    }

    /// Forgets when the next row is due, before the rows themselves are asked: what is told after this is kept.
    pub(super) fn forget_due(&self) {
        self.0.due_us.store(i64::MAX, Ordering::Release);
    }

    /// Resolves at the next push or due time told after this call, even if it comes before the first poll.
    pub(super) async fn changed(&self) {
        // A `Notify` keeps one permit, and the loop is its only reader: nothing told while it works is lost.
        self.0.changed.notified().await;
    }

    fn arrived(&self) -> std::sync::MutexGuard<'_, Vec<Claimed>> {
        // A panic cannot leave the list half-written: pushing and taking are one step each.
        self.0.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
