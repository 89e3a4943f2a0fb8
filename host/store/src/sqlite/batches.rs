//! Batches: events of one subscription and type that become one delivery.
//!
//! A delivery accepts further events while its batch is open and no worker has leased it. Both are checked in the
//! transaction that accepts the event, so no event is lost between two batches or is in both.

use hookmill_model::Event;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::super::{NewDelivery, NewEvent, StoreError};
use super::row::{count, micros};
use super::values;
use super::writing::Writing;

const OPEN: &str = "
    INSERT INTO open_batches (subscription, type, delivery, closes_at, events, bytes) VALUES (?1, ?2, ?3, ?4, 1, ?5)
    ON CONFLICT (subscription, type) DO UPDATE SET delivery = ?3, closes_at = ?4, events = 1, bytes = ?5";

const FIND: &str = "
    SELECT delivery, events FROM open_batches
    WHERE subscription = ?1 AND type = ?2 AND closes_at > ?3 AND events < ?4 AND bytes + ?5 <= ?6";

/// A worker that has attempted the delivery has read its events.
const EXTEND: &str = "
    UPDATE waiting SET batched = batched + 1 WHERE delivery = ?1 AND state = 'pending' AND attempts = 0";

const ADD: &str = "INSERT INTO batched_events (delivery, position, event) VALUES (?1, ?2, ?3)";

/// So that the event's deliveries are found.
const LINK: &str = "INSERT INTO later_deliveries (event, delivery) VALUES (?1, ?2)";

const COUNT: &str = "
    UPDATE open_batches SET events = events + 1, bytes = bytes + ?3 WHERE subscription = ?1 AND type = ?2";

const FILL: &str = "UPDATE waiting SET due_at = ?2 WHERE delivery = ?1";

/// What a batch is of: the keys of its subscription and of its events' type.
#[derive(Clone, Copy)]
pub(super) struct Of {
    pub(super) subscription: i64,
    pub(super) kind: i64,
}

/// The result of adding an event to a batch.
pub(super) enum Joined {
    /// There is no batch that the event can join.
    No,
    /// The event joined a batch.
    Open,
    /// The event joined a batch and filled it.
    Full {
        /// When the batch is due now.
        due_at: Timestamp,
    },
}

/// Adds the event with this key to its open batch, if there is one.
pub(super) fn join(
    db: &Writing<'_>,
    Of { subscription, kind }: Of,
    key: i64,
    new: &NewEvent,
    delivery: &NewDelivery,
) -> Result<Joined, StoreError> {
    let Some(batch) = &delivery.batch else { return Ok(Joined::No) };
    let event = &new.event;
    let (bytes, at) = (count(event.data.get().len()), micros(event.accepted_at));
    let mut find = db.prepare_cached(FIND)?;
    let found = find.query_row(params![subscription, kind, at, batch.max, bytes, count(batch.bytes_max)], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?))
    });
    let Some((batched, events)) = found.optional()? else { return Ok(Joined::No) };
    if db.lease(batched).is_some() || db.prepare_cached(EXTEND)?.execute([batched])? == 0 {
        return Ok(Joined::No);
    }
    db.prepare_cached(ADD)?.execute(params![batched, events, key])?;
    db.prepare_cached(LINK)?.execute([key, batched])?;
    if !new.values.is_empty() {
        values::link(db, key, batched)?;
    }
    db.prepare_cached(COUNT)?.execute([subscription, kind, bytes])?;
    if events + 1 < batch.max {
        return Ok(Joined::Open);
    }
    db.prepare_cached(FILL)?.execute([batched, micros(batch.due_if_full)])?;
    Ok(Joined::Full { due_at: batch.due_if_full })
}

/// Opens a batch with the delivery with this key, if its events are batched.
pub(super) fn open(
    db: &Writing<'_>,
    Of { subscription, kind }: Of,
    key: i64,
    event: &Event,
    delivery: &NewDelivery,
) -> Result<(), StoreError> {
    let Some(batch) = &delivery.batch else { return Ok(()) };
    let bytes = count(event.data.get().len());
    db.prepare_cached(OPEN)?.execute([subscription, kind, key, micros(batch.closes_at), bytes])?;
    Ok(())
}
