//! Deliveries: listing, reading, and the commands of callers.

use std::time::{Duration, Instant};

use hookmill_model::{Attempt, Delivery, DeliveryId, DeliveryState, SpaceId};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params, params_from_iter};
use ulid::Ulid;

use super::super::{Command, Commanded, DeliveryFilter, DeliveryHead, ListPart, StoreError};
use super::attempts;
use super::backlog::{Backlog, Writing};
use super::events::{Events, read_head};
use super::pinned::{self, PinnedPlugins};
use super::row::{Columns as _, PART_BYTES_MAX, corrupt, micros};

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

/// Columns of a listing.
const HEAD: &str = "id, subscription, event, batched, state, attempts, due_at, completed_at, reason, test";

/// Deliveries that one part of a listing examines: some 30 ms. A filter that few of them pass takes more parts, between
/// which others have their turns.
const EXAMINED_MAX: usize = 10_000;

/// Time after which a part of a listing ends, for a disk that is slow.
const EXAMINING_MAX: Duration = Duration::from_secs(1);

const EVENT_HEAD: &str = "SELECT id, kind, occurred_at, accepted_at FROM events WHERE seq = ?1";

/// See [`Store::deliveries`](super::super::Store::deliveries).
pub(super) fn list(
    db: &Connection,
    space: &SpaceId,
    filter: &DeliveryFilter,
    limit: usize,
) -> Result<ListPart<DeliveryHead, DeliveryId>, StoreError> {
    // Else the walk over another space's deliveries would be this one's to wait for, and its cursor an id of the other.
    if let Some(subscription) = filter.subscription
        && !db.prepare_cached(OF_SPACE)?.exists(params![subscription.to_string(), space.as_str()])?
    {
        return Ok(ListPart::empty());
    }
    let (sql, values) = listing(space, filter);
    let (mut select, mut event) = (db.prepare_cached(&sql)?, db.prepare_cached(EVENT_HEAD)?);
    let mut rows = select.query(params_from_iter(values))?;
    let mut entries: Vec<DeliveryHead> = Vec::new();
    let mut held = 0;
    let until = Instant::now() + EXAMINING_MAX;
    let mut examined = 0;
    while let Some(row) = rows.next()? {
        if let Some(delivery) = wanted(row, &mut event, filter)? {
            held += delivery.reason.as_ref().map_or(0, String::len);
            if entries.len() == limit || (held > PART_BYTES_MAX && !entries.is_empty()) {
                let next = entries.last().map(|last| last.id);
                return Ok(ListPart { entries, next });
            }
            entries.push(delivery);
        }
        examined += 1;
        if examined == EXAMINED_MAX || Instant::now() >= until {
            return Ok(ListPart { entries, next: Some(row.text("id")?) });
        }
    }
    Ok(ListPart { entries, next: None })
}

const OF_SPACE: &str = "SELECT 1 FROM subscriptions WHERE id = ?1 AND space = ?2";

/// Reads a delivery if it passes the filters that the statement does not apply.
fn wanted(
    row: &Row<'_>,
    event: &mut CachedStatement<'_>,
    filter: &DeliveryFilter,
) -> rusqlite::Result<Option<DeliveryHead>> {
    let state = state(row)?;
    if filter.state.is_some_and(|wanted| wanted != state) {
        return Ok(None);
    }
    let subscription_id = row.text("subscription")?;
    if filter.subscription.is_some_and(|wanted| wanted != subscription_id) {
        return Ok(None);
    }
    let event = event.query_row([row.value::<i64>("event")?], read_head)?;
    if filter.event_type.as_ref().is_some_and(|wanted| !wanted.matches(&event.kind))
        || filter.since.is_some_and(|since| event.accepted_at < since)
        || filter.until.is_some_and(|until| event.accepted_at >= until)
    {
        return Ok(None);
    }
    Ok(Some(DeliveryHead {
        id: row.text("id")?,
        subscription_id,
        event_id: event.id,
        event_type: event.kind,
        accepted_at: event.accepted_at,
        batched: row.value("batched")?,
        test: row.value("test")?,
        state,
        attempts: row.value("attempts")?,
        due_at: row.time("due_at")?,
        completed_at: row.time_if_any("completed_at")?,
        reason: row.value("reason")?,
    }))
}

/// The deliveries with the event as their first, and those whose batches it joined.
const OF_EVENT: &str = "id IN (
    SELECT id FROM deliveries INDEXED BY deliveries_of_event
    WHERE event = (SELECT seq FROM events WHERE space = ? AND id = ?)
    UNION ALL
    SELECT delivery FROM batched_events INDEXED BY batched_events_by_event
    WHERE event = (SELECT seq FROM events WHERE space = ? AND id = ?))";

/// Returns the statement for a filter, and its parameters in order: all deliveries in the range of an index, newest first.
/// [`wanted`] applies what the index does not know.
///
/// The index is named, since SQLite cannot know that an event has few deliveries and a space has many. The most selective
/// filter determines the index.
pub(super) fn listing(space: &SpaceId, filter: &DeliveryFilter) -> (String, Vec<Value>) {
    let (index, condition, mut values) = range(space, filter);
    let mut sql = format!("SELECT {HEAD} FROM deliveries{index} WHERE {condition}");
    let mut also = |condition: &str, value: String| {
        sql.push_str(condition);
        values.push(value.into());
    };
    // Ids start with the millisecond in which the event was accepted: they narrow the scan, the event's time decides.
    if let Some(since) = filter.since {
        also(" AND id >= ?", first_id(since.as_millisecond()));
    }
    if let Some(until) = filter.until {
        also(" AND id < ?", first_id(until.as_millisecond() + 1));
    }
    if let Some(before) = filter.before {
        also(" AND id < ?", before.to_string());
    }
    sql.push_str(" ORDER BY id DESC");
    (sql, values)
}

/// Returns the most selective index for a filter, the range in it, and its parameters.
fn range(space: &SpaceId, filter: &DeliveryFilter) -> (&'static str, String, Vec<Value>) {
    let in_space = Value::from(space.as_str().to_owned());
    match (&filter.event, filter.state, filter.subscription) {
        // By their ids, which come from two indexes.
        (Some(event), _, _) => {
            let event = Value::from(event.as_str().to_owned());
            let values = vec![in_space.clone(), in_space.clone(), event.clone(), in_space, event];
            ("", format!("space = ? AND {OF_EVENT}"), values)
        }
        // A literal, so that SQLite sees that the partial index covers the condition.
        (None, Some(state), _) if state != DeliveryState::Delivered => {
            let condition = format!("space = ? AND state = '{}' AND state <> 'delivered'", state.as_str());
            (" INDEXED BY deliveries_by_state", condition, vec![in_space])
        }
        (None, _, Some(subscription)) => {
            let values = vec![subscription.to_string().into()];
            (" INDEXED BY deliveries_of_subscription", "subscription = ?".to_owned(), values)
        }
        (None, _, None) => (" INDEXED BY deliveries_of_space", "space = ?".to_owned(), vec![in_space]),
    }
}

/// Returns the lowest id of a delivery that was created in this millisecond.
pub(super) fn first_id(millisecond: i64) -> String {
    format!("dlv_{}", Ulid::from_parts(u64::try_from(millisecond).unwrap_or(0), 0))
}

/// See [`Store::delivery_head`](super::super::Store::delivery_head).
pub(super) fn head(db: &Connection, space: &SpaceId, id: DeliveryId) -> Result<Option<DeliveryHead>, StoreError> {
    let mut select = db.prepare_cached(&format!("SELECT {HEAD} FROM deliveries WHERE id = ?1 AND space = ?2"))?;
    let mut event = db.prepare_cached(EVENT_HEAD)?;
    let all = DeliveryFilter::default();
    let found =
        select.query_row(params![id.to_string(), space.as_str()], |row| wanted(row, &mut event, &all)).optional()?;
    Ok(found.flatten())
}

/// Lengths are in the rows' heads: no body is read.
const BYTES: &str = "
    SELECT coalesce(sum(coalesce(length(request_body), 0) + coalesce(length(answer_body), 0)), 0) FROM attempts
    WHERE delivery = ?1 AND EXISTS (SELECT 1 FROM deliveries WHERE id = ?1 AND space = ?2)";

/// See [`Store::delivery_bytes`](super::super::Store::delivery_bytes).
pub(super) fn bytes(db: &Connection, space: &SpaceId, id: DeliveryId) -> Result<u64, StoreError> {
    let bytes: i64 = db.prepare_cached(BYTES)?.query_row(params![id.to_string(), space.as_str()], |row| row.get(0))?;
    Ok(bytes.unsigned_abs())
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
    db: &Writing<'_>,
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
    let state = match (command, delivery.state) {
        (Command::Cancel, DeliveryState::Pending | DeliveryState::Held) => {
            db.prepare_cached(CANCEL)?.execute(params![id, now])?;
            DeliveryState::Cancelled
        }
        (Command::Cancel, state) => return Ok(Commanded::NotIn(state)),
        // The deliver loop would only hold it again.
        (Command::Resend { .. }, DeliveryState::Held) => return Ok(Commanded::NotIn(DeliveryState::Held)),
        (Command::Resend { verbatim: true }, _) if !sent(db, &id)? => return Ok(Commanded::NothingSent),
        (Command::Resend { verbatim }, _) => {
            db.prepare_cached(RETRY)?.execute(params![id, now, verbatim])?;
            DeliveryState::Pending
        }
    };
    db.moved(delivery.state, state, 1);
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

/// Counts the deliveries that are not final, at the start; see [`Store::backlog`](super::super::Store::backlog).
pub(super) fn backlog(db: &Connection) -> rusqlite::Result<Backlog> {
    db.prepare_cached(BACKLOG)?.query_row([], |row| Ok(Backlog { pending: row.get(0)?, held: row.get(1)? }))
}
