//! From accepting to delivering, through memory.
//!
//! A delivery that is due at once need not be read back from its row: who accepts it claims it in the same transaction
//! and pushes it here. There is room for a bounded number and a bounded size; what finds none stays in its row, and the
//! loop fetches it when it comes to it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Alarm;
use crate::config::DeliverConfig;
use hookmill_model::Delivery;

/// The way in; clones share it.
#[derive(Clone, Debug)]
pub struct Inbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    arrived: Mutex<Vec<Leased>>,
    /// When the next row is known to be due.
    alarm: Alarm,
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    waiting_max: usize,
    waiting_bytes_max: usize,
}

/// A delivery that is claimed, with its place in memory.
#[derive(Debug)]
pub struct Leased {
    /// The delivery.
    pub delivery: Delivery,
    /// Its place.
    pub reservation: Reservation,
}

/// A place in memory for one delivery; given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    inbox: Inbox,
    bytes: usize,
}

impl Drop for Reservation {
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
            alarm: Alarm::default(),
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
    pub fn reserve(&self, event_bytes: usize) -> Option<Reservation> {
        (self.free() > 0).then(|| self.take(event_bytes))
    }

    /// A place, whether there is one or not: for what is in memory already.
    pub fn take(&self, event_bytes: usize) -> Reservation {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        self.0.waiting_bytes.fetch_add(event_bytes, Ordering::Relaxed);
        Reservation { inbox: self.clone(), bytes: event_bytes }
    }

    /// Hands over deliveries that were claimed and committed.
    pub fn push(&self, leased: Vec<Leased>) {
        if !leased.is_empty() {
            self.arrived().extend(leased);
            self.0.alarm.ring();
        }
    }

    /// When the next row is due; also rings when something is pushed.
    pub fn alarm(&self) -> &Alarm {
        &self.0.alarm
    }

    /// What was pushed since the last call.
    pub fn arrivals(&self) -> Vec<Leased> {
        std::mem::take(&mut *self.arrived())
    }

    fn arrived(&self) -> std::sync::MutexGuard<'_, Vec<Leased>> {
        // A panic cannot leave the list half-written: pushing and taking are one step each.
        self.0.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
