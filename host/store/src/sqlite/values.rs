//! Values at the paths that spaces index: of which events they are, and of which deliveries.
//!
//! An event's rows carry the key of its first delivery, so that they are in the order of the deliveries, which are found by
//! their range as those of an event are. A delivery that the event got later has rows of its own.

use hookmill_model::EventId;
use rusqlite::{Connection, params};

use super::super::{IndexedValue, StoreError};
use super::keys::Range;
use super::row::count;
use super::{ids, names};

/// The part of the rows of events with deliveries, and of those without; see the schema. That of later deliveries is 2.
const PARTS_OF_EVENTS: [i64; 2] = [0, 1];

pub(super) const PUT: &str = "
    INSERT INTO event_values (path, value, part, delivery, event) VALUES (?1, ?2, ?3, ?4, ?5)";

/// Writes the values of an event that is being accepted.
pub(super) fn put(
    db: &Connection,
    path: i64,
    value: &str,
    event: i64,
    first_delivery: i64,
    deliveries: usize,
) -> Result<(), StoreError> {
    let [with, without] = PARTS_OF_EVENTS;
    let part = if deliveries > 0 { with } else { without };
    db.prepare_cached(PUT)?.execute(params![path, value, part, first_delivery, event])?;
    Ok(())
}

pub(super) const LINK: &str = "
    INSERT INTO event_values (path, value, part, delivery, event)
    SELECT path, value, 2, ?2, event FROM event_values INDEXED BY values_of_event WHERE event = ?1 AND part < 2
    ON CONFLICT DO NOTHING";

/// Lets the delivery with this key, which an event got after its acceptance, be found by the event's values.
pub(super) fn link(db: &Connection, event: i64, delivery: i64) -> Result<(), StoreError> {
    db.prepare_cached(LINK)?.execute([event, delivery])?;
    Ok(())
}

/// Of a path and a value, the rows of one part before a delivery and an event, newest first.
pub(super) const EVENTS: &str = "
    SELECT delivery, event FROM event_values
    WHERE path = ?1 AND value = ?2 AND part = ?3 AND (delivery, event) < (?4, ?5)
    ORDER BY delivery DESC, event DESC LIMIT ?6";

const FIRST_DELIVERY: &str = "SELECT first_delivery FROM events WHERE key = ?1";

/// Returns up to `limit` keys of a space's newest events with a value, before one of them, newest first.
pub(super) fn events(
    db: &Connection,
    space: i64,
    value: &IndexedValue,
    before: Option<&EventId>,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let Some(path) = names::value_path(db, space, &value.path)? else { return Ok(Vec::new()) };
    let before = match before {
        None => (i64::MAX, i64::MAX),
        Some(id) => {
            let Some(key) = ids::event(db, space, id)? else { return Ok(Vec::new()) };
            (db.prepare_cached(FIRST_DELIVERY)?.query_row([key], |row| row.get(0))?, key)
        }
    };
    let mut select = db.prepare_cached(EVENTS)?;
    let mut found: Vec<(i64, i64)> = Vec::new();
    for part in PARTS_OF_EVENTS {
        let of = params![path, value.value, part, before.0, before.1, count(limit)];
        for row in select.query_map(of, |row| Ok((row.get(0)?, row.get(1)?)))? {
            found.push(row?);
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(limit);
    Ok(found.into_iter().map(|(_, event)| event).collect())
}

/// The events of a path and a value with deliveries in a range, newest first, each with the range of its own.
pub(super) const WITH_DELIVERIES: &str = "
    SELECT delivery, delivery + events.deliveries, events.key FROM event_values JOIN events ON events.key = event
    WHERE path = ?1 AND value = ?2 AND part = 0 AND delivery >= ?3 AND delivery < ?4 ORDER BY delivery DESC";

pub(super) const IN_RANGE: &str = "
    SELECT key FROM deliveries WHERE key >= ?1 AND key < ?2 AND event = ?3 ORDER BY key DESC";

pub(super) const LATER: &str = "
    SELECT delivery FROM event_values JOIN deliveries ON deliveries.key = delivery
    WHERE path = ?1 AND value = ?2 AND part = 2 AND delivery >= ?3 AND delivery < ?4 ORDER BY delivery DESC";

/// Returns up to `limit` of the newest deliveries in a range with an event that has a value at the path with this key.
pub(super) fn deliveries(
    db: &Connection,
    path: i64,
    value: &str,
    Range { from, before }: Range,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let of = params![path, value, from, before];
    let mut found: Vec<i64> = Vec::new();
    let mut in_range = db.prepare_cached(IN_RANGE)?;
    let mut select = db.prepare_cached(WITH_DELIVERIES)?;
    let mut events = select.query(of)?;
    while found.len() < limit
        && let Some(event) = events.next()?
    {
        let (first, end, event): (i64, i64, i64) = (event.get(0)?, event.get(1)?, event.get(2)?);
        for key in in_range.query_map([first, end.min(before), event], |row| row.get(0))?.take(limit) {
            found.push(key?);
        }
    }
    let mut select = db.prepare_cached(LATER)?;
    let mut later = select.query(of)?;
    let mut last = None;
    let mut rest = limit;
    while rest > 0
        && let Some(row) = later.next()?
    {
        let key: i64 = row.get(0)?;
        // Several events of one batch.
        if last.replace(key) != Some(key) {
            found.push(key);
            rest -= 1;
        }
    }
    Ok(found)
}

pub(super) const HAS: &str = "
    SELECT 1 FROM event_values INDEXED BY values_of_event WHERE event = ?1 AND path = ?2 AND value = ?3";

pub(super) const BATCH_HAS: &str = "
    SELECT 1 FROM batched_events JOIN event_values INDEXED BY values_of_event
        ON event_values.event = batched_events.event AND path = ?2 AND value = ?3
    WHERE batched_events.delivery = ?1";

/// Whether an event of a delivery has a value at the path with this key: its first, or another if it is a batch.
pub(super) fn has(
    db: &Connection,
    (path, value): (i64, &str),
    event: i64,
    batch: Option<i64>,
) -> rusqlite::Result<bool> {
    if db.prepare_cached(HAS)?.exists(params![event, path, value])? {
        return Ok(true);
    }
    match batch {
        Some(delivery) => db.prepare_cached(BATCH_HAS)?.exists(params![delivery, path, value]),
        None => Ok(false),
    }
}
