//! The queues of subscriptions: how many deliveries are in `waiting`, which the writer keeps, and when they are due.
//!
//! A delivery that is sent for the first time from memory has no row there and changes no count: it is added when somebody
//! asks, from its lease.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use hookmill_model::{DeliveryState, SpaceId, SubscriptionId};
use rusqlite::{Connection, OptionalExtension as _};

use super::super::{ListedSubscription, Queue, QueueStore, SpaceQueue, StoreError};
use super::backlog::Backlog;
use super::deliveries::Of;
use super::row::{Columns as _, PART_BYTES_MAX, count, time};
use super::writing::{Shared, Writing};
use super::{Sqlite, names, subscriptions};

/// Read once, at the start: no index has the attempts, and one for the start alone would make each retry dearer.
pub(super) const LOAD: &str = "SELECT space, subscription, state, attempts > 0 AS attempted FROM waiting";

/// Takes a row out, with what it counted for.
pub(super) const REMOVE: &str =
    "DELETE FROM waiting WHERE delivery = ?1 RETURNING space, subscription, state, attempts > 0 AS attempted";

pub(super) const FIRST_DUE: &str = "
    SELECT due_at FROM waiting INDEXED BY waiting_by_due_time
    WHERE state = 'pending' AND subscription = ?1 ORDER BY due_at, delivery LIMIT 1";

/// Subscriptions of a space among which the first due delivery is looked for: a step in the index each, 20 ms for all.
const LOOKED_AT_MAX: usize = 10_000;

/// Counts of rows, or changes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Queued {
    /// Pending and never attempted.
    first: i64,
    /// Pending and attempted before.
    again: i64,
    held: i64,
}

impl Queued {
    /// So many rows in a state.
    pub(super) fn of(state: DeliveryState, attempted: bool, count: i64) -> Self {
        match (state, attempted) {
            (DeliveryState::Pending, false) => Self { first: count, ..Self::default() },
            (DeliveryState::Pending, true) => Self { again: count, ..Self::default() },
            (DeliveryState::Held, _) => Self { held: count, ..Self::default() },
            (
                DeliveryState::Delivered | DeliveryState::Failed | DeliveryState::Skipped | DeliveryState::Cancelled,
                _,
            ) => Self::default(),
        }
    }

    pub(super) fn add(&mut self, Self { first, again, held }: Self) {
        self.first += first;
        self.again += again;
        self.held += held;
    }
}

/// The committed counts of the subscriptions that have rows.
#[derive(Debug, Default)]
pub(super) struct Queues {
    spaces: HashMap<i64, OfSpace>,
}

#[derive(Debug, Default)]
struct OfSpace {
    all: Queued,
    subscriptions: HashMap<i64, Queued>,
}

impl Queues {
    /// Counts all rows, at the start.
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut queues = Self::default();
        let mut select = db.prepare(LOAD)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (of, queued) = counted(row)?;
            queues.add(of, queued);
        }
        Ok(queues)
    }

    /// Returns the number of deliveries in each state, of all spaces.
    pub(super) fn backlog(&self) -> Backlog {
        let mut all = Queued::default();
        self.spaces.values().for_each(|space| all.add(space.all));
        Backlog { pending: all.first + all.again, held: all.held }
    }

    /// Adds to the counts of a subscription.
    pub(super) fn add(&mut self, of: Of, queued: Queued) {
        let space = self.spaces.entry(of.space).or_default();
        space.all.add(queued);
        let subscription = space.subscriptions.entry(of.subscription).or_default();
        subscription.add(queued);
        if *subscription == Queued::default() {
            space.subscriptions.remove(&of.subscription);
        }
        if space.subscriptions.is_empty() {
            self.spaces.remove(&of.space);
        }
    }

    fn of(&self, of: Of) -> Queued {
        self.spaces.get(&of.space).and_then(|it| it.subscriptions.get(&of.subscription)).copied().unwrap_or_default()
    }

    /// Returns a space's counts, and the keys of its subscriptions with pending rows.
    fn of_space(&self, space: i64) -> (Queued, Vec<i64>) {
        let Some(OfSpace { all, subscriptions }) = self.spaces.get(&space) else { return Default::default() };
        let pending = subscriptions.iter().filter(|(_, queued)| queued.first + queued.again > 0).map(|(key, _)| *key);
        (*all, pending.take(LOOKED_AT_MAX).collect())
    }
}

fn counted(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Of, Queued)> {
    let of = Of { space: row.value("space")?, subscription: row.value("subscription")? };
    Ok((of, Queued::of(row.variant("state")?, row.value("attempted")?, 1)))
}

/// Deletes the row of the delivery with this key, and counts it.
pub(super) fn remove(db: &Writing<'_>, key: i64) -> Result<(), StoreError> {
    if let Some((of, Queued { first, again, held })) =
        db.prepare_cached(REMOVE)?.query_row([key], counted).optional()?
    {
        db.queued(of, Queued { first: -first, again: -again, held: -held });
    }
    Ok(())
}

fn first_due(db: &Connection, subscription: i64) -> Result<Option<i64>, StoreError> {
    Ok(db.prepare_cached(FIRST_DUE)?.query_row([subscription], |row| row.value("due_at")).optional()?)
}

/// Reads a subscription's queue. `fresh` are its deliveries that are sent for the first time from memory.
fn queue(db: &Connection, shared: &Shared, of: Of, fresh: u64) -> Result<Queue, StoreError> {
    let Queued { first, again, .. } = shared.queues(|queues| queues.of(of));
    // A commit is on disk before it is counted.
    let unsigned = |count: i64| u64::try_from(count).unwrap_or(0);
    let due_at = if first + again > 0 { first_due(db, of.subscription)? } else { None };
    Ok(Queue {
        waiting: unsigned(first) + fresh,
        retrying: unsigned(again),
        next_due_at: due_at.map(|at| time("due_at", at)).transpose()?,
    })
}

fn one(db: &Connection, shared: &Shared, space: &SpaceId, id: SubscriptionId) -> Result<Queue, StoreError> {
    let Some(space) = names::space(db, space)? else { return Ok(Queue::default()) };
    let Some(subscription) = names::subscription_of(db, space, id)? else { return Ok(Queue::default()) };
    let fresh = shared.leases(|leases| leases.fresh_counts(space)).remove(&subscription).unwrap_or(0);
    queue(db, shared, Of { space, subscription }, fresh)
}

fn listed(
    db: &Connection,
    shared: &Shared,
    space: &SpaceId,
    ids: &[SubscriptionId],
) -> Result<(Vec<ListedSubscription>, usize), StoreError> {
    let Some(key) = names::space(db, space)? else { return Ok((Vec::new(), ids.len())) };
    let fresh = shared.leases(|leases| leases.fresh_counts(key));
    let (mut found, mut bytes) = (Vec::new(), 0);
    for (at, id) in ids.iter().enumerate() {
        let Some((entry, size)) = subscriptions::one_with_bytes(db, space, *id)? else { continue };
        bytes += size;
        if bytes > PART_BYTES_MAX && !found.is_empty() {
            return Ok((found, at));
        }
        let (subscription, activity) = entry;
        let Some(of) = names::subscription_of(db, key, *id)? else { continue };
        let fresh = fresh.get(&of).copied().unwrap_or(0);
        let queue = queue(db, shared, Of { space: key, subscription: of }, fresh)?;
        found.push(ListedSubscription { subscription, activity, queue });
    }
    Ok((found, ids.len()))
}

fn of_space(db: &Connection, shared: &Shared, space: &SpaceId) -> Result<SpaceQueue, StoreError> {
    let Some(space) = names::space(db, space)? else { return Ok(SpaceQueue::default()) };
    let (Queued { first, again, held }, subscriptions) = shared.queues(|queues| queues.of_space(space));
    let (fresh, accepted_at) = shared.leases(|leases| leases.fresh_first(space));
    // What is sent from memory was due when it was accepted.
    let mut oldest = accepted_at;
    for subscription in subscriptions {
        if let Some(due_at) = first_due(db, subscription)? {
            let due_at = time("due_at", due_at)?;
            oldest = Some(oldest.map_or(due_at, |oldest| oldest.min(due_at)));
        }
    }
    let unsigned = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(SpaceQueue {
        waiting: unsigned(first + count(fresh)),
        retrying: unsigned(again),
        held: unsigned(held),
        oldest_due_at: oldest,
    })
}

#[async_trait]
impl QueueStore for Sqlite {
    async fn queue(&self, space: &SpaceId, id: SubscriptionId) -> Result<Queue, StoreError> {
        let (of, shared) = (space.clone(), Arc::clone(&self.shared));
        self.readers.read_for(space, move |db| one(db, &shared, &of, id)).await
    }

    async fn listed(
        &self,
        space: &SpaceId,
        ids: Vec<SubscriptionId>,
    ) -> Result<(Vec<ListedSubscription>, usize), StoreError> {
        let (of, shared) = (space.clone(), Arc::clone(&self.shared));
        self.readers.read_for(space, move |db| listed(db, &shared, &of, &ids)).await
    }

    async fn space_queue(&self, space: &SpaceId) -> Result<SpaceQueue, StoreError> {
        let (of, shared) = (space.clone(), Arc::clone(&self.shared));
        self.readers.read_for(space, move |db| of_space(db, &shared, &of)).await
    }
}
