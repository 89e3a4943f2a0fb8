//! The inbox: passes deliveries from accepting to delivering through memory.
//!
//! A delivery that is due at once need not be read back from its row: it is leased in the transaction that accepts its
//! event, and pushed here. The inbox bounds their number and size; a delivery that does not fit stays in its row, and the
//! loop fetches it later.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Alarm;
use crate::config::DeliverConfig;
use hookmill_model::Delivery;

/// The inbox of the deliver loop; clones share it.
#[derive(Clone, Debug)]
pub struct Inbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    arrived: Mutex<Vec<Leased>>,
    /// The time at which the next row is known to be due.
    alarm: Alarm,
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    waiting_max: usize,
    waiting_bytes_max: usize,
}

/// A leased delivery, with its reservation in the inbox.
#[derive(Debug)]
pub struct Leased {
    /// The delivery.
    pub delivery: Delivery,
    /// Its reservation.
    pub reservation: Reservation,
}

/// Space in memory for one delivery; released on drop.
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
    /// Creates an empty inbox with the configured limits.
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

    /// Returns the number of deliveries that still fit.
    pub fn free(&self) -> usize {
        let inner = &*self.0;
        if inner.waiting_bytes.load(Ordering::Relaxed) >= inner.waiting_bytes_max {
            return 0;
        }
        inner.waiting_max.saturating_sub(inner.waiting.load(Ordering::Relaxed))
    }

    /// Reserves space for one delivery of an event of that size, if there is any.
    ///
    /// Checking and reserving are two steps, so concurrent callers may exceed the limit by one delivery each. The limit
    /// only bounds memory.
    pub fn reserve(&self, event_bytes: usize) -> Option<Reservation> {
        (self.free() > 0).then(|| self.take(event_bytes))
    }

    /// Reserves space regardless of the limit, for a delivery that is in memory already.
    pub fn take(&self, event_bytes: usize) -> Reservation {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        self.0.waiting_bytes.fetch_add(event_bytes, Ordering::Relaxed);
        Reservation { inbox: self.clone(), bytes: event_bytes }
    }

    /// Adds deliveries that were leased and committed.
    pub fn push(&self, leased: Vec<Leased>) {
        if !leased.is_empty() {
            self.arrived().extend(leased);
            self.0.alarm.ring();
        }
    }

    /// The alarm for the next due row; also rings on a push.
    pub fn alarm(&self) -> &Alarm {
        &self.0.alarm
    }

    /// Returns the deliveries that were pushed since the last call.
    pub fn arrivals(&self) -> Vec<Leased> {
        std::mem::take(&mut *self.arrived())
    }

    fn arrived(&self) -> std::sync::MutexGuard<'_, Vec<Leased>> {
        // A panic cannot leave the list half-written: pushing and taking are one step each.
        self.0.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
