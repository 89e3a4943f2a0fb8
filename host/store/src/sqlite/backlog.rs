//! The number of deliveries that are not final, which the writer keeps: counting them would read an index of all that wait.

use std::sync::atomic::{AtomicI64, Ordering};

use hookmill_model::DeliveryState;

/// Counts of deliveries that are not final, or changes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backlog {
    pub(super) pending: i64,
    pub(super) held: i64,
}

impl Backlog {
    /// Adds deliveries in a state.
    pub(super) fn add(&mut self, state: DeliveryState, count: i64) {
        match state {
            DeliveryState::Pending => self.pending += count,
            DeliveryState::Held => self.held += count,
            DeliveryState::Delivered | DeliveryState::Failed | DeliveryState::Skipped | DeliveryState::Cancelled => {}
        }
    }
}

/// The committed counts.
#[derive(Debug, Default)]
pub(super) struct CommittedBacklog {
    pending: AtomicI64,
    held: AtomicI64,
}

impl CommittedBacklog {
    /// Adds the changes of a committed transaction.
    pub(super) fn add(&self, Backlog { pending, held }: Backlog) {
        self.pending.fetch_add(pending, Ordering::Relaxed);
        self.held.fetch_add(held, Ordering::Relaxed);
    }

    /// Returns the counts.
    pub(super) fn get(&self) -> [(DeliveryState, u64); 2] {
        let count = |count: &AtomicI64| u64::try_from(count.load(Ordering::Relaxed)).unwrap_or(0);
        [(DeliveryState::Pending, count(&self.pending)), (DeliveryState::Held, count(&self.held))]
    }
}
