//! The writing connection with what the writer keeps in memory: leases, names, and what a transaction adds up.
//!
//! A transaction may be rolled back, as a whole or to a [`Savepoint`]; what operations changed in memory goes back with it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hookmill_model::{DeliveryState, Digest, EventType, FieldPath, SpaceId, SubscriptionId};
use jiff::Timestamp;
use rusqlite::Connection;

use super::super::StoreError;
use super::backlog::Backlog;
use super::deliveries::Of;
use super::leases::{Lease, Leases};
use super::names::Names;
use super::queues::{Queued, Queues};
use super::stored::{self, StoredBytes};
use super::tallies::{Counted, GivenKeys, Tallies};
use super::unreadable::Unreadable;

/// What the writer shares with the store's handle and the readers.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The next key of a row.
    next_key: AtomicI64,
    leases: Mutex<Leases>,
    stored: Mutex<StoredBytes>,
    /// The rows that readers set aside.
    pub(super) unreadable: Unreadable,
    queues: Mutex<Queues>,
    /// Whether the log was emptied when that was last tried.
    log_is_empty: AtomicBool,
}

impl Shared {
    /// Starts with this key, what is stored, and what waits.
    pub(super) fn new(next_key: i64, stored: StoredBytes, queues: Queues) -> Self {
        Self {
            next_key: AtomicI64::new(next_key),
            leases: Mutex::default(),
            stored: Mutex::new(stored),
            unreadable: Unreadable::default(),
            queues: Mutex::new(queues),
            log_is_empty: AtomicBool::new(false),
        }
    }

    /// Takes consecutive keys; returns the first.
    pub(super) fn take_keys(&self, count: usize) -> i64 {
        self.next_key.fetch_add(super::row::count(count), Ordering::Relaxed)
    }

    /// Reads or changes the leases.
    pub(super) fn leases<T>(&self, use_them: impl FnOnce(&mut Leases) -> T) -> T {
        use_them(&mut self.leases.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the log was emptied when that was last tried.
    pub(super) fn log_is_empty(&self) -> bool {
        self.log_is_empty.load(Ordering::Relaxed)
    }

    /// Reads or changes the counts of queues.
    pub(super) fn queues<T>(&self, use_them: impl FnOnce(&mut Queues) -> T) -> T {
        use_them(&mut self.queues.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads or changes the bytes that spaces store.
    pub(super) fn stored<T>(&self, use_them: impl FnOnce(&mut StoredBytes) -> T) -> T {
        use_them(&mut self.stored.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The writing connection.
pub(super) struct Writing<'db> {
    db: &'db Connection,
    shared: Arc<Shared>,
    names: RefCell<Names>,
    marks: RefCell<Marks>,
    given: RefCell<GivenKeys>,
    changes: RefCell<Changes>,
}

/// What a transaction changed so far.
#[derive(Clone, Default)]
struct Changes {
    backlog: Backlog,
    tallies: Tallies,
    /// Bytes stored, by the keys of their spaces.
    stored: HashMap<i64, i64>,
    /// Rows of `waiting`.
    queues: HashMap<Of, Queued>,
    /// Whether the log is to be emptied after it.
    empty_log: bool,
    /// The leases before each change, to go back.
    leases: Vec<(i64, Option<Lease>)>,
}

/// A state of a transaction to go back to.
pub(super) struct Savepoint {
    changes: Changes,
}

/// The committed marks, so that they are written only when they change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub(super) low_water: i64,
    pub(super) next_key: i64,
}

/// How far the low-water mark may be behind: a start looks at so many keys more.
const LOW_WATER_LAG: i64 = 4_096;

/// How far the committed next key is ahead: a restart loses so many keys.
const NEXT_KEY_LEAD: i64 = 65_536;

impl<'db> Writing<'db> {
    pub(super) fn new(db: &'db Connection, shared: Arc<Shared>, marks: Marks) -> Self {
        let given = RefCell::new(GivenKeys::below(marks.next_key));
        Self { db, shared, names: RefCell::default(), marks: RefCell::new(marks), given, changes: RefCell::default() }
    }

    /// Counts deliveries that were created in a state.
    pub(super) fn created(&self, state: DeliveryState, count: usize) {
        self.changes.borrow_mut().backlog.add(state, super::row::count(count));
    }

    /// Counts a delivery that was deleted in a state.
    pub(super) fn removed(&self, state: DeliveryState) {
        self.changes.borrow_mut().backlog.add(state, -1);
    }

    /// Empties the log once the transaction is committed.
    pub(super) fn empty_log(&self) {
        self.changes.borrow_mut().empty_log = true;
    }

    /// Forgets the keys that were looked up, since rows that have them are deleted.
    pub(super) fn forget_names(&self) {
        *self.names.borrow_mut() = Names::default();
    }

    /// Counts deliveries that were moved from a state to another.
    pub(super) fn moved(&self, from: DeliveryState, to: DeliveryState, count: usize) {
        let backlog = &mut self.changes.borrow_mut().backlog;
        backlog.add(from, -super::row::count(count));
        backlog.add(to, super::row::count(count));
    }

    /// Counts what happened to deliveries of a space and a subscription, which are given by their keys.
    pub(super) fn count(&self, space: i64, subscription: i64, at: Timestamp, what: Counted, count: usize) {
        self.changes.borrow_mut().tallies.count([space, subscription], at, what, super::row::count(count));
    }

    /// Counts rows of `waiting` that were inserted, or deleted.
    pub(super) fn queued(&self, of: Of, queued: Queued) {
        self.changes.borrow_mut().queues.entry(of).or_default().add(queued);
    }

    /// Counts bytes that a space, given by its key, stores from now on; fewer if negative.
    pub(super) fn stored(&self, space: i64, bytes: i64) {
        if bytes != 0 {
            *self.changes.borrow_mut().stored.entry(space).or_default() += bytes;
        }
    }

    /// Returns what was counted for a space in this transaction.
    pub(super) fn stored_so_far(&self, space: i64) -> i64 {
        self.changes.borrow().stored.get(&space).copied().unwrap_or(0)
    }

    /// Remembers that these keys were given to an event accepted at this time, or to its deliveries.
    pub(super) fn gave_keys(&self, accepted_at: Timestamp, first: i64, end: i64) {
        self.changes.borrow_mut().tallies.gave_keys(accepted_at, first, end);
    }

    /// Takes consecutive keys; returns the first.
    pub(super) fn take_keys(&self, count: usize) -> i64 {
        self.shared.take_keys(count)
    }

    /// Returns the lease of a delivery.
    pub(super) fn lease(&self, delivery: i64) -> Option<Lease> {
        self.shared.leases(|leases| leases.get(delivery).cloned())
    }

    /// Reads the leases.
    pub(super) fn leases<T>(&self, read: impl FnOnce(&Leases) -> T) -> T {
        self.shared.leases(|leases| read(leases))
    }

    /// Sets or removes the lease of a delivery.
    pub(super) fn set_lease(&self, delivery: i64, lease: Option<Lease>) {
        let before = self.shared.leases(|leases| leases.set(delivery, lease));
        self.changes.borrow_mut().leases.push((delivery, before));
    }

    /// Returns the key of a space; an error if it does not exist.
    pub(super) fn space(&self, id: &SpaceId) -> Result<i64, StoreError> {
        self.names.borrow_mut().space(self.db, id)
    }

    /// Returns the key of a subscription; an error if it does not exist.
    pub(super) fn subscription(&self, id: SubscriptionId) -> Result<i64, StoreError> {
        self.names.borrow_mut().subscription(self.db, id)
    }

    /// Returns the key of a type, which is added if it is new.
    pub(super) fn event_type(&self, name: &EventType) -> Result<i64, StoreError> {
        self.names.borrow_mut().event_type(self.db, name, || self.shared.take_keys(1))
    }

    /// Returns the key of a digest, which is added if it is new.
    pub(super) fn digest(&self, digest: &Digest) -> Result<i64, StoreError> {
        self.names.borrow_mut().digest(self.db, digest)
    }

    /// Returns the key of a path that the space with this key indexes, which is added if it is new.
    pub(super) fn value_path(&self, space: i64, path: &FieldPath) -> Result<i64, StoreError> {
        self.names.borrow_mut().value_path(self.db, space, path)
    }

    /// Begins a transaction.
    pub(super) fn begin(&self) {
        *self.changes.borrow_mut() = Changes::default();
    }

    /// Returns the state of the transaction.
    pub(super) fn savepoint(&self) -> Savepoint {
        Savepoint { changes: self.changes.borrow().clone() }
    }

    /// Goes back to a state of the transaction, since what followed is rolled back.
    pub(super) fn go_back(&self, Savepoint { changes: before }: Savepoint) {
        let mut changes = self.changes.borrow_mut();
        self.shared.leases(|leases| {
            for (delivery, lease) in changes.leases.drain(before.leases.len()..).rev() {
                leases.set(delivery, lease);
            }
        });
        *changes = before;
        // They may be of rows that are gone.
        *self.names.borrow_mut() = Names::default();
    }

    /// Goes back to the begin of the transaction, since it is rolled back.
    pub(super) fn go_back_to_begin(&self) {
        self.go_back(Savepoint { changes: Changes::default() });
    }

    /// Writes what the transaction added up, as its last step. Returns the marks that hold once it is committed.
    pub(super) fn finish(&self) -> Result<Marks, StoreError> {
        self.changes.borrow_mut().tallies.write(self.db, &mut self.given.borrow_mut())?;
        stored::add(self.db, &self.changes.borrow().stored)?;
        let mut marks = *self.marks.borrow();
        let next_key = self.shared.next_key.load(Ordering::Relaxed);
        let low_water = self.leases(Leases::first_fresh).unwrap_or(next_key);
        let ahead = next_key > marks.next_key;
        if ahead {
            marks.next_key = next_key + NEXT_KEY_LEAD;
        }
        // Lower if an event was committed whose keys were taken before those of others.
        if ahead || low_water < marks.low_water || low_water > marks.low_water + LOW_WATER_LAG {
            marks.low_water = low_water;
            super::marks::write(self.db, marks)?;
        }
        Ok(marks)
    }

    /// Ends a transaction that was committed; returns the changes of the backlog.
    pub(super) fn committed(&self, marks: Marks) -> Backlog {
        *self.marks.borrow_mut() = marks;
        let Changes { backlog, stored, queues, empty_log, .. } = std::mem::take(&mut *self.changes.borrow_mut());
        if empty_log {
            self.shared.log_is_empty.store(super::checkpoint::empty_log(self.db), Ordering::Relaxed);
        }
        if !stored.is_empty() {
            self.shared.stored(|all| all.add(stored));
        }
        if !queues.is_empty() {
            self.shared.queues(|all| queues.into_iter().for_each(|(of, queued)| all.add(of, queued)));
        }
        backlog
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.db
    }
}
