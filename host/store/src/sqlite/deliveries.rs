//! Deliveries: reading, and the commands of callers.

use std::sync::Arc;

use hookmill_model::{Attempt, Delivery, DeliveryId, DeliveryState, Event, SpaceId};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::{Command, Commanded, DeliveryHead, StoreError};
use super::events::{Events, read_head};
use super::pinned::{self, PinnedPlugins};
use super::queues::{self, Queued};
use super::row::{Columns as _, corrupt, micros, time};
use super::tallies::Counted;
use super::writing::Writing;
use super::{attempts, ids, names};

/// A delivery with whatever determines its state; see the schema's header.
pub(super) const BY_KEY: &str = "
    SELECT d.space, d.subscription AS subscription_key, subscriptions.id AS subscription, d.event, d.test, d.batch,
        d.id AS id, d.due_at AS first_due_at,
        w.state AS waiting, w.due_at AS next_due_at, w.attempts AS waiting_attempts, w.batched, w.verbatim, w.pinned,
        w.reason AS waiting_reason,
        e.state AS ended, e.completed_at, e.due_at AS ended_due_at, e.attempts AS ended_attempts,
        e.reason AS ended_reason,
        a.key AS attempt, a.due_at AS attempt_due_at, a.recorded_at, a.problem, a.answer_status, a.reason
    FROM deliveries AS d JOIN subscriptions ON subscriptions.key = d.subscription
        LEFT JOIN waiting AS w ON w.delivery = d.key
        LEFT JOIN ended AS e ON e.delivery = d.key
        LEFT JOIN attempts AS a
            ON a.key = (SELECT max(key) FROM attempts WHERE key > d.key * 65536 AND key < (d.key + 1) * 65536)
    WHERE d.key = ?1";

const BATCHED: &str = "SELECT event FROM batched_events WHERE delivery = ?1 ORDER BY position";

const BATCHED_COUNT: &str = "SELECT count(*) FROM batched_events WHERE delivery = ?1";

/// The state of a delivery, from the rows that determine it.
pub(super) struct Progress {
    pub(super) state: DeliveryState,
    pub(super) attempts: u32,
    pub(super) due_at: Timestamp,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) reason: Option<String>,
}

impl Progress {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        if let Some(waiting) = row.value::<Option<String>>("waiting")? {
            return Ok(Self {
                state: state(&waiting)?,
                attempts: row.value("waiting_attempts")?,
                due_at: row.time("next_due_at")?,
                completed_at: None,
                reason: row.value("waiting_reason")?,
            });
        }
        if let Some(ended) = row.value::<Option<String>>("ended")? {
            return Ok(Self {
                state: state(&ended)?,
                attempts: row.value("ended_attempts")?,
                due_at: row.time("ended_due_at")?,
                completed_at: row.time_if_any("completed_at")?,
                reason: row.value("ended_reason")?,
            });
        }
        match row.value::<Option<i64>>("attempt")? {
            Some(attempt) => Ok(Self {
                state: DeliveryState::Delivered,
                attempts: u32::try_from(attempt % attempts::NUMBERS).map_err(|error| corrupt("key", error))?,
                due_at: row.time("attempt_due_at")?,
                completed_at: row.time_if_any("recorded_at")?,
                reason: row.value("reason")?,
            }),
            None => Ok(Self {
                state: DeliveryState::Pending,
                attempts: 0,
                due_at: row.time("first_due_at")?,
                completed_at: None,
                reason: None,
            }),
        }
    }
}

fn state(name: &str) -> rusqlite::Result<DeliveryState> {
    DeliveryState::from_name(name).ok_or_else(|| corrupt("state", format!("`{name}` is none")))
}

/// Reads the further events of batched deliveries.
pub(super) fn read_batches(db: &Connection, deliveries: &mut [Delivery]) -> Result<(), StoreError> {
    let mut events = Events::default();
    for delivery in deliveries.iter_mut().filter(|delivery| delivery.batched > 0) {
        if let Some(key) = ids::delivery(db, delivery.id)? {
            read_batch(db, &mut events, key, delivery)?;
        }
    }
    Ok(())
}

fn read_batch(db: &Connection, events: &mut Events, key: i64, delivery: &mut Delivery) -> Result<(), StoreError> {
    let mut select = db.prepare_cached(BATCHED)?;
    for event in select.query_map([key], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()? {
        delivery.more.push(events.get(db, event)?);
    }
    Ok(())
}

/// Reads a delivery's number of further events from its row.
fn batched(db: &Connection, row: &Row<'_>, key: i64) -> rusqlite::Result<u32> {
    if row.value("batch")? { db.prepare_cached(BATCHED_COUNT)?.query_row([key], |row| row.get(0)) } else { Ok(0) }
}

/// Reads the head of the delivery with this key from its row.
pub(super) fn read_delivery_head(
    db: &Connection,
    row: &Row<'_>,
    key: i64,
    event: &super::super::EventHead,
    Progress { state, attempts, due_at, completed_at, reason }: Progress,
) -> rusqlite::Result<DeliveryHead> {
    Ok(DeliveryHead {
        id: ids::of_delivery(key, row.value("id")?, event.accepted_at),
        subscription_id: row.text("subscription")?,
        event_id: event.id.clone(),
        event_type: event.kind.clone(),
        accepted_at: event.accepted_at,
        batched: batched(db, row, key)?,
        test: row.value("test")?,
        state,
        attempts,
        due_at,
        completed_at,
        reason,
    })
}

/// Returns the key of a space's delivery, if it exists.
fn key_of(db: &Connection, space: &SpaceId, id: DeliveryId) -> Result<Option<i64>, StoreError> {
    let Some(space) = names::space(db, space)? else { return Ok(None) };
    let Some(key) = ids::delivery(db, id)? else { return Ok(None) };
    Ok(db.prepare_cached(OF_SPACE)?.exists([key, space])?.then_some(key))
}

const OF_SPACE: &str = "SELECT 1 FROM deliveries WHERE key = ?1 AND space = ?2";

/// See [`Store::delivery_head`](super::super::Store::delivery_head).
pub(super) fn head(db: &Connection, space: &SpaceId, id: DeliveryId) -> Result<Option<DeliveryHead>, StoreError> {
    let Some(key) = key_of(db, space, id)? else { return Ok(None) };
    let mut event = db.prepare_cached(super::events::HEAD_BY_KEY)?;
    let head = db.prepare_cached(BY_KEY)?.query_row([key], |row| {
        let of = row.value::<i64>("event")?;
        let event = event.query_row([of], |row| read_head(row, of))?;
        read_delivery_head(db, row, key, &event, Progress::read(row)?)
    })?;
    Ok(Some(head))
}

/// Lengths are in the rows' heads, and an LZ4 block begins with its own: no body is read to its end.
const BYTES: &str = "
    SELECT substr(request_body, 1, 4) AS request_bytes, length(answer_body) AS answer_bytes FROM attempts
    WHERE key > ?1 AND key < ?2";

/// See [`Store::delivery_bytes`](super::super::Store::delivery_bytes).
pub(super) fn bytes(db: &Connection, space: &SpaceId, id: DeliveryId) -> Result<u64, StoreError> {
    let Some(key) = key_of(db, space, id)? else { return Ok(0) };
    let mut select = db.prepare_cached(BYTES)?;
    let sizes = select.query_map(attempts::range(key), |row| {
        let request: Option<[u8; 4]> = row.value("request_bytes")?;
        let answer: Option<u32> = row.value("answer_bytes")?;
        Ok(u64::from(request.map_or(0, u32::from_le_bytes)) + u64::from(answer.unwrap_or(0)))
    })?;
    Ok(sizes.sum::<rusqlite::Result<u64>>()?)
}

/// See [`Store::delivery`](super::super::Store::delivery). `leased_until` returns when a delivery's lease expires.
pub(super) fn one(
    db: &Connection,
    space: &SpaceId,
    id: DeliveryId,
    leased_until: impl FnOnce(i64) -> Option<i64>,
) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
    let Some(key) = key_of(db, space, id)? else { return Ok(None) };
    let mut events = Events::default();
    let (mut delivery, _) = read(db, &mut events, key)?;
    delivery.leased_until = leased_until(key).map(|at| time("leased_until", at)).transpose()?;
    read_batch(db, &mut events, key, &mut delivery)?;
    let attempts = attempts::of_delivery(db, key, &delivery)?;
    Ok(Some((delivery, attempts)))
}

/// Reads the delivery with this key without further events and the key of its subscription.
fn read(db: &Connection, events: &mut Events, key: i64) -> Result<(Delivery, i64), StoreError> {
    let mut pinned = PinnedPlugins::default();
    Ok(db.prepare_cached(BY_KEY)?.query_row([key], |row| {
        let Progress { state, attempts, due_at, completed_at, reason } = Progress::read(row)?;
        let event: Arc<Event> = events.get(db, row.value("event")?)?;
        let setup: Option<[u8; 32]> = row.value("pinned")?;
        let delivery = Delivery {
            id: ids::of_delivery(key, row.value("id")?, event.accepted_at),
            subscription_id: row.text("subscription")?,
            event,
            batched: batched(db, row, key)?,
            more: Vec::new(),
            test: row.value("test")?,
            verbatim: row.value::<Option<bool>>("verbatim")?.unwrap_or(false),
            pinned: setup.map(|id| pinned.get(db, id)).transpose()?,
            state,
            attempts,
            due_at,
            leased_until: None,
            completed_at,
            reason,
        };
        Ok((delivery, row.value("subscription_key")?))
    })?)
}

/// Ends what waits, for this reason.
pub(super) const CANCEL: &str = "
    INSERT INTO ended (delivery, space, subscription, state, completed_at, due_at, attempts, reason)
    SELECT delivery, space, subscription, 'cancelled', ?2, due_at, attempts, ?3 FROM waiting WHERE delivery = ?1";

/// Earlier results are in its attempts, and its pinned plugin is dropped if it is to be transformed again. A waiting delivery
/// becomes due at once, and no later than before.
const RESEND: &str = "
    INSERT INTO waiting (delivery, space, subscription, state, due_at, attempts, verbatim)
    VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6)
    ON CONFLICT (delivery) DO UPDATE SET
        due_at = min(due_at, ?4), verbatim = ?6, reason = NULL, pinned = iif(?6, pinned, NULL)";

const DELETE_ENDED: &str = "DELETE FROM ended WHERE delivery = ?1";

/// See [`Store::command`](super::super::Store::command).
pub(super) fn command(
    db: &Writing<'_>,
    space: &SpaceId,
    id: DeliveryId,
    command: Command,
    now: Timestamp,
) -> Result<Commanded, StoreError> {
    let Some(key) = key_of(db, space, id)? else { return Ok(Commanded::Unknown) };
    let lease = db.lease(key);
    if lease.as_ref().is_some_and(|lease| lease.until > micros(now)) {
        return Ok(Commanded::InFlight);
    }
    let (delivery, subscription) = read(db, &mut Events::default(), key)?;
    let of = Of { space: db.space(space)?, subscription };
    match (command, delivery.state) {
        (Command::Cancel, DeliveryState::Pending | DeliveryState::Held) => {
            if lease.is_some() {
                super::lease::put_back(db, key)?;
            }
            cancel(db, key, of, delivery.state, now, "cancelled by a caller")?;
        }
        (Command::Cancel, state) => return Ok(Commanded::NotIn(state)),
        // The deliver loop would only hold it again.
        (Command::Resend { .. }, DeliveryState::Held) => return Ok(Commanded::NotIn(DeliveryState::Held)),
        (Command::Resend { verbatim: true }, _) if !sent(db, key)? => return Ok(Commanded::NothingSent),
        (Command::Resend { verbatim }, _) => {
            let (state, attempts) = (delivery.state, delivery.attempts);
            resend(db, key, of, Again { state, attempts, due_at: now, verbatim })?;
        }
    }
    if let Some(pinned) = &delivery.pinned {
        pinned::drop_if_unused(db, pinned)?;
    }
    Ok(Commanded::Done)
}

/// What a delivery is of: the keys of its space and its subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Of {
    pub(super) space: i64,
    pub(super) subscription: i64,
}

/// How a delivery is sent again.
#[derive(Clone, Copy)]
pub(super) struct Again {
    /// Its state until now.
    pub(super) state: DeliveryState,
    /// Its attempts so far.
    pub(super) attempts: u32,
    /// When it is due.
    pub(super) due_at: Timestamp,
    /// Whether it sends what the last attempt sent.
    pub(super) verbatim: bool,
}

/// Makes the delivery with this key pending again.
pub(super) fn resend(db: &Writing<'_>, key: i64, of: Of, again: Again) -> Result<(), StoreError> {
    let Again { state, attempts, due_at, verbatim } = again;
    let fresh = db.lease(key).is_some_and(|lease| lease.fresh);
    db.set_lease(key, None);
    db.prepare_cached(DELETE_ENDED)?.execute([key])?;
    db.prepare_cached(RESEND)?.execute(params![key, of.space, of.subscription, micros(due_at), attempts, verbatim])?;
    db.moved(state, DeliveryState::Pending, 1);
    if state != DeliveryState::Pending || fresh {
        db.queued(of, Queued::of(DeliveryState::Pending, attempts > 0, 1));
    }
    Ok(())
}

/// Cancels the waiting delivery with this key.
pub(super) fn cancel(
    db: &Writing<'_>,
    key: i64,
    of: Of,
    state: DeliveryState,
    now: Timestamp,
    reason: &str,
) -> Result<(), StoreError> {
    db.prepare_cached(CANCEL)?.execute(params![key, micros(now), reason])?;
    queues::remove(db, key)?;
    db.moved(state, DeliveryState::Cancelled, 1);
    db.count(of.space, of.subscription, now, Counted::Cancelled, 1);
    Ok(())
}

/// Whether a request of the delivery was ever sent.
fn sent(db: &Connection, key: i64) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM attempts WHERE key > ?1 AND key < ?2 AND request_method IS NOT NULL";
    Ok(db.prepare_cached(sql)?.exists(attempts::range(key))?)
}
