//! Deliveries: listing, reading, and the commands of callers.

use hookmill_model::{Attempt, Delivery, DeliveryId, DeliveryState, Pattern, SpaceId};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};
use ulid::Ulid;

use super::super::{Command, Commanded, DeliveryFilter, StoreError};
use super::attempts;
use super::events::Events;
use super::pinned::{self, PinnedPlugins};
use super::row::{Columns as _, corrupt, count, micros};

/// The columns that [`Delivered::row`] reads.
pub(super) const COLUMNS: &str = "id, subscription, event, batched, state, attempts, due_at, leased_until, completed_at, reason, test, verbatim, \
    pinned";

const BATCHED: &str = "SELECT event FROM batched_events WHERE delivery = ?1 ORDER BY position";

pub(super) const BACKLOG: &str = "
    SELECT (SELECT count(*) FROM deliveries INDEXED BY deliveries_by_readiness WHERE state = 'pending'),
           (SELECT count(*) FROM deliveries INDEXED BY deliveries_held WHERE state = 'held')";

/// A reader of deliveries with their events.
pub(super) struct Delivered<'db> {
    db: &'db Connection,
    events: Events,
    pinned: PinnedPlugins,
}

impl<'db> Delivered<'db> {
    pub(super) fn new(db: &'db Connection) -> Self {
        Self { db, events: Events::default(), pinned: PinnedPlugins::default() }
    }

    pub(super) fn row(&mut self, row: &Row<'_>) -> rusqlite::Result<Delivery> {
        let pinned: Option<[u8; 32]> = row.value("pinned")?;
        Ok(Delivery {
            id: row.text("id")?,
            subscription_id: row.text("subscription")?,
            event: self.events.get(self.db, row.value("event")?)?,
            batched: row.value("batched")?,
            more: Vec::new(),
            test: row.value("test")?,
            verbatim: row.value("verbatim")?,
            pinned: pinned.map(|id| self.pinned.get(self.db, id)).transpose()?,
            state: state(row)?,
            attempts: row.value("attempts")?,
            due_at: row.time("due_at")?,
            leased_until: row.time_if_any("leased_until")?,
            completed_at: row.time_if_any("completed_at")?,
            reason: row.value("reason")?,
        })
    }
}

/// Reads the further events of batched deliveries.
pub(super) fn read_batches(db: &Connection, deliveries: &mut [Delivery]) -> Result<(), StoreError> {
    let mut events = Events::default();
    let mut select = db.prepare_cached(BATCHED)?;
    for delivery in deliveries.iter_mut().filter(|delivery| delivery.batched > 0) {
        let keys = select.query_map([delivery.id.to_string()], |row| row.get(0))?;
        for key in keys.collect::<rusqlite::Result<Vec<i64>>>()? {
            delivery.more.push(events.get(db, key)?);
        }
    }
    Ok(())
}

fn state(row: &Row<'_>) -> rusqlite::Result<DeliveryState> {
    let name: String = row.value("state")?;
    DeliveryState::from_name(&name).ok_or_else(|| corrupt("state", format!("`{name}` is none")))
}

/// See [`Store::deliveries`](super::super::Store::deliveries).
pub(super) fn list(
    db: &Connection,
    space: &SpaceId,
    filter: &DeliveryFilter,
    limit: usize,
) -> Result<Vec<Delivery>, StoreError> {
    let (sql, values) = listing(space, filter, limit);
    let mut read = Delivered::new(db);
    let mut select = db.prepare_cached(&sql)?;
    let found = select.query_map(params_from_iter(values), |row| read.row(row))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The deliveries with the event as their first, and those whose batches it joined.
const OF_EVENT: &str = "id IN (
    SELECT id FROM deliveries INDEXED BY deliveries_of_event
    WHERE event = (SELECT seq FROM events WHERE space = ? AND id = ?)
    UNION ALL
    SELECT delivery FROM batched_events INDEXED BY batched_events_by_event
    WHERE event = (SELECT seq FROM events WHERE space = ? AND id = ?))";

/// Returns the statement for a filter, and its parameters in order.
///
/// The index is named, since SQLite cannot know that an event has few deliveries and a space has many. The most selective
/// filter determines the index; a row that another filter rejects costs one lookup.
pub(super) fn listing(space: &SpaceId, filter: &DeliveryFilter, limit: usize) -> (String, Vec<Value>) {
    let indexed = index(filter).map(|index| format!(" INDEXED BY {index}")).unwrap_or_default();
    let mut sql = format!("SELECT {COLUMNS} FROM deliveries{indexed} WHERE space = ?");
    let mut values = vec![Value::from(space.as_str().to_owned())];
    let mut also = |condition: &str, value: Vec<Value>| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.extend(value);
    };
    if let Some(state) = filter.state {
        // A literal, so that SQLite sees that the partial index covers the condition.
        also(&format!("state = '{}'", state.as_str()), vec![]);
        if state != DeliveryState::Delivered {
            also("state <> 'delivered'", vec![]);
        }
    }
    if let Some(subscription) = filter.subscription {
        also("subscription = ?", vec![subscription.to_string().into()]);
    }
    if let Some(event) = &filter.event {
        let of = [space.as_str(), event.as_str()].map(|text| Value::from(text.to_owned()));
        also(OF_EVENT, [of.clone(), of].concat());
    }
    if let Some(pattern) = &filter.event_type {
        let kind = "(SELECT kind FROM events WHERE seq = event)";
        match pattern {
            Pattern::All => {}
            // An event type contains none of GLOB's special characters.
            Pattern::Below(_) => also(&format!("{kind} GLOB ?"), vec![pattern.to_string().into()]),
            Pattern::Exactly(_) => also(&format!("{kind} = ?"), vec![pattern.to_string().into()]),
        }
    }
    // Ids start with the millisecond in which the event was accepted: they narrow the scan, the event's time decides.
    if let Some(since) = filter.since {
        also("id >= ?", vec![first_id(since.as_millisecond()).into()]);
        also("(SELECT accepted_at FROM events WHERE seq = event) >= ?", vec![micros(since).into()]);
    }
    if let Some(until) = filter.until {
        also("id < ?", vec![first_id(until.as_millisecond() + 1).into()]);
        also("(SELECT accepted_at FROM events WHERE seq = event) < ?", vec![micros(until).into()]);
    }
    if let Some(before) = filter.before {
        also("id < ?", vec![before.to_string().into()]);
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(count(limit).into());
    (sql, values)
}

/// Returns the most selective index for a filter.
fn index(filter: &DeliveryFilter) -> Option<&'static str> {
    match (&filter.event, filter.state, filter.subscription) {
        // By their ids, which come from two indexes.
        (Some(_), _, _) => None,
        (None, Some(state), _) if state != DeliveryState::Delivered => Some("deliveries_by_state"),
        (None, _, Some(_)) => Some("deliveries_of_subscription"),
        (None, _, None) => Some("deliveries_of_space"),
    }
}

/// Returns the lowest id of a delivery that was created in this millisecond.
pub(super) fn first_id(millisecond: i64) -> String {
    format!("dlv_{}", Ulid::from_parts(u64::try_from(millisecond).unwrap_or(0), 0))
}

/// See [`Store::delivery`](super::super::Store::delivery).
pub(super) fn one(
    db: &Connection,
    space: &SpaceId,
    id: DeliveryId,
) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
    let Some(mut delivery) = find(db, space, id)? else { return Ok(None) };
    read_batches(db, std::slice::from_mut(&mut delivery))?;
    Ok(Some((delivery, attempts::of_delivery(db, id)?)))
}

fn find(db: &Connection, space: &SpaceId, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
    let mut select = db.prepare_cached(&format!("SELECT {COLUMNS} FROM deliveries WHERE id = ?1 AND space = ?2"))?;
    let mut read = Delivered::new(db);
    Ok(select.query_row(params![id.to_string(), space.as_str()], |row| read.row(row)).optional()?)
}

const CANCEL: &str = "
    UPDATE deliveries
    SET state = 'cancelled', leased_until = NULL, ready_at = due_at, completed_at = ?2, pinned = NULL,
        reason = 'cancelled by a caller'
    WHERE id = ?1";

/// Earlier results are in its attempts, and its pinned plugin is dropped if it is to be transformed again. A waiting delivery
/// becomes due at once, and no later than before.
const RETRY: &str = "
    UPDATE deliveries
    SET state = 'pending', leased_until = NULL, completed_at = NULL, reason = NULL, verbatim = ?3,
        pinned = iif(?3, pinned, NULL),
        due_at = iif(state = 'pending', min(due_at, ?2), ?2), ready_at = iif(state = 'pending', min(due_at, ?2), ?2)
    WHERE id = ?1";

/// See [`Store::command`](super::super::Store::command).
pub(super) fn command(
    db: &Connection,
    space: &SpaceId,
    id: DeliveryId,
    command: Command,
    now: Timestamp,
) -> Result<Commanded, StoreError> {
    let Some(delivery) = find(db, space, id)? else { return Ok(Commanded::Unknown) };
    if delivery.leased_until.is_some_and(|until| until > now) {
        return Ok(Commanded::InFlight);
    }
    let (id, now) = (id.to_string(), micros(now));
    match (command, delivery.state) {
        (Command::Cancel, DeliveryState::Pending | DeliveryState::Held) => {
            db.prepare_cached(CANCEL)?.execute(params![id, now])?
        }
        (Command::Cancel, state) => return Ok(Commanded::NotIn(state)),
        // The deliver loop would only hold it again.
        (Command::Resend { .. }, DeliveryState::Held) => return Ok(Commanded::NotIn(DeliveryState::Held)),
        (Command::Resend { verbatim: true }, _) if !sent(db, &id)? => return Ok(Commanded::NothingSent),
        (Command::Resend { verbatim }, _) => db.prepare_cached(RETRY)?.execute(params![id, now, verbatim])?,
    };
    if let Some(pinned) = &delivery.pinned {
        pinned::drop_if_unused(db, pinned)?;
    }
    Ok(Commanded::Done)
}

/// Whether a request of the delivery was ever sent.
fn sent(db: &Connection, id: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM attempts WHERE delivery = ?1 AND request_method IS NOT NULL";
    Ok(db.prepare_cached(sql)?.exists([id])?)
}

/// See [`Store::backlog`](super::super::Store::backlog).
pub(super) fn backlog(db: &Connection) -> Result<Vec<(DeliveryState, u64)>, StoreError> {
    let (pending, held): (i64, i64) =
        db.prepare_cached(BACKLOG)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(vec![(DeliveryState::Pending, pending.unsigned_abs()), (DeliveryState::Held, held.unsigned_abs())])
}
