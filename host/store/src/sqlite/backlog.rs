//! The number of deliveries that are not final, which the writer keeps: counting them would read an index of all that wait.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, Ordering};

use hookmill_model::DeliveryState;
use rusqlite::Connection;

/// Counts of deliveries that are not final, or changes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backlog {
    pub(super) pending: i64,
    pub(super) held: i64,
}

impl Backlog {
    fn add(&mut self, state: DeliveryState, count: i64) {
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

/// The writing connection, with the changes of the running transaction to the counts.
pub(super) struct Writing<'db> {
    db: &'db Connection,
    changes: Cell<Backlog>,
}

impl<'db> Writing<'db> {
    pub(super) fn new(db: &'db Connection) -> Self {
        Self { db, changes: Cell::default() }
    }

    /// Counts deliveries that were created in a state.
    pub(super) fn created(&self, state: DeliveryState, count: usize) {
        let mut changes = self.changes.get();
        changes.add(state, super::row::count(count));
        self.changes.set(changes);
    }

    /// Counts deliveries that were moved from a state to another.
    pub(super) fn moved(&self, from: DeliveryState, to: DeliveryState, count: usize) {
        let mut changes = self.changes.get();
        changes.add(from, -super::row::count(count));
        changes.add(to, super::row::count(count));
        self.changes.set(changes);
    }

    /// The changes so far.
    pub(super) fn changes(&self) -> Backlog {
        self.changes.get()
    }

    /// Returns to earlier changes, since what followed them was rolled back.
    pub(super) fn reset(&self, changes: Backlog) {
        self.changes.set(changes);
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.db
    }
}
