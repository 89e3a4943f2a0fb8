//! Reading events.

use std::collections::HashMap;
use std::sync::Arc;

use hookmill_model::{Event, EventId, SpaceId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::value::RawValue;

use super::super::{EventHead, ListPart, StoreError};
use super::row::{Columns as _, corrupt, count, part};

const BY_SEQ: &str =
    "SELECT space, id, kind, occurred_at, accepted_at, data, changed_fields, previous FROM events WHERE seq = ?1";

const BY_ID: &str = "SELECT seq, space, id, kind, occurred_at, accepted_at, data, changed_fields, previous FROM events WHERE space = ?1 AND id = ?2";

pub(super) const NEWEST: &str = "
    SELECT space, id, kind, occurred_at, accepted_at, data, changed_fields, previous
    FROM events INDEXED BY events_of_space WHERE space = ?1 ORDER BY seq DESC LIMIT ?2";

pub(super) const NEWEST_BEFORE: &str = "
    SELECT space, id, kind, occurred_at, accepted_at, data, changed_fields, previous
    FROM events INDEXED BY events_of_space
    WHERE space = ?1 AND seq < (SELECT seq FROM events WHERE space = ?1 AND id = ?3) ORDER BY seq DESC LIMIT ?2";

/// Without the columns that may be large, which come last in a row and are not read from disk then.
pub(super) const NEWEST_HEADS: &str = "
    SELECT id, kind, occurred_at, accepted_at
    FROM events INDEXED BY events_of_space WHERE space = ?1 ORDER BY seq DESC LIMIT ?2";

pub(super) const NEWEST_HEADS_BEFORE: &str = "
    SELECT id, kind, occurred_at, accepted_at
    FROM events INDEXED BY events_of_space
    WHERE space = ?1 AND seq < (SELECT seq FROM events WHERE space = ?1 AND id = ?3) ORDER BY seq DESC LIMIT ?2";

pub(super) const DELIVERIES_MADE: &str = "
    SELECT (SELECT count(*) FROM deliveries INDEXED BY deliveries_of_event WHERE event = ?1)
        + (SELECT count(*) FROM batched_events INDEXED BY batched_events_by_event WHERE event = ?1)";

/// See [`Store::events`](super::super::Store::events).
pub(super) fn list(
    db: &Connection,
    space: &SpaceId,
    before: Option<&EventId>,
    limit: usize,
) -> Result<ListPart<Event, EventId>, StoreError> {
    let (space, rows) = (space.as_str(), count(limit + 1));
    let read = |row: &Row<'_>| Ok((read(row)?, row.bytes("data")? + row.bytes("previous")?));
    let id = |event: &Event| event.id.clone();
    match before {
        None => part(db.prepare_cached(NEWEST)?.query_map(params![space, rows], read)?, limit, id),
        Some(before) => {
            part(db.prepare_cached(NEWEST_BEFORE)?.query_map(params![space, rows, before.as_str()], read)?, limit, id)
        }
    }
}

/// See [`Store::event_heads`](super::super::Store::event_heads).
pub(super) fn heads(
    db: &Connection,
    space: &SpaceId,
    before: Option<&EventId>,
    limit: usize,
) -> Result<ListPart<EventHead, EventId>, StoreError> {
    let (space, rows) = (space.as_str(), count(limit + 1));
    let read = |row: &Row<'_>| Ok((read_head(row)?, 0));
    let id = |event: &EventHead| event.id.clone();
    match before {
        None => part(db.prepare_cached(NEWEST_HEADS)?.query_map(params![space, rows], read)?, limit, id),
        Some(before) => {
            let mut select = db.prepare_cached(NEWEST_HEADS_BEFORE)?;
            part(select.query_map(params![space, rows, before.as_str()], read)?, limit, id)
        }
    }
}

/// Reads an event's head.
pub(super) fn read_head(row: &Row<'_>) -> rusqlite::Result<EventHead> {
    Ok(EventHead {
        id: row.text("id")?,
        kind: row.text("kind")?,
        occurred_at: row.time("occurred_at")?,
        accepted_at: row.time("accepted_at")?,
    })
}

/// See [`Store::event`](super::super::Store::event).
pub(super) fn one(db: &Connection, space: &SpaceId, id: &EventId) -> Result<Option<(Event, u64)>, StoreError> {
    let mut select = db.prepare_cached(BY_ID)?;
    let found =
        select.query_row([space.as_str(), id.as_str()], |row| Ok((row.value("seq")?, read(row)?))).optional()?;
    found.map(|(seq, event)| Ok((event, deliveries_made(db, seq)?))).transpose()
}

/// Returns the number of an event's deliveries.
pub(super) fn deliveries_made(db: &Connection, seq: i64) -> Result<u64, StoreError> {
    let made: i64 = db.prepare_cached(DELIVERIES_MADE)?.query_row([seq], |row| row.get(0))?;
    Ok(made.unsigned_abs())
}

/// Events by their keys, each read once: an event that many deliveries share is in memory once.
#[derive(Default)]
pub(super) struct Events(HashMap<i64, Arc<Event>>);

impl Events {
    /// Returns the event with this key.
    pub(super) fn get(&mut self, db: &Connection, seq: i64) -> rusqlite::Result<Arc<Event>> {
        if let Some(event) = self.0.get(&seq) {
            return Ok(Arc::clone(event));
        }
        let event = Arc::new(db.prepare_cached(BY_SEQ)?.query_row([seq], read)?);
        self.0.insert(seq, Arc::clone(&event));
        Ok(event)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Event> {
    let raw = |column, text| RawValue::from_string(text).map_err(|error| corrupt(column, error));
    let previous: Option<String> = row.value("previous")?;
    Ok(Event {
        space: row.text("space")?,
        id: row.text("id")?,
        kind: row.text("kind")?,
        occurred_at: row.time("occurred_at")?,
        accepted_at: row.time("accepted_at")?,
        data: raw("data", row.value("data")?)?.into(),
        changed_fields: row.json_if_any("changed_fields")?,
        previous: previous.map(|text| Ok::<_, rusqlite::Error>(raw("previous", text)?.into())).transpose()?,
    })
}
