//! Reading events.

use std::collections::HashMap;
use std::sync::Arc;

use hookmill_model::{Event, EventId, SpaceId};
use rusqlite::{Connection, Row};
use serde_json::value::RawValue;

use super::super::{EventFilter, EventHead, ListPart, StoreError};
use super::row::{Columns as _, corrupt, part};
use super::{ids, keys, names, values};

pub(super) const BY_KEY: &str = "
    SELECT spaces.id AS space, events.id AS id, types.name AS type, occurred_at, accepted_at, data, changed_fields, previous
    FROM events JOIN spaces ON spaces.key = events.space JOIN types ON types.key = events.type WHERE events.key = ?1";

/// Without the columns that may be large, which come last in a row and are not read from disk then.
pub(super) const HEAD_BY_KEY: &str = "
    SELECT events.id AS id, types.name AS type, occurred_at, accepted_at
    FROM events JOIN types ON types.key = events.type WHERE events.key = ?1";

pub(super) const DELIVERIES_MADE: &str = "
    SELECT (
            SELECT count(*) FROM deliveries
            WHERE key >= first_delivery AND key < first_delivery + events.deliveries AND event = ?1
        ) + (SELECT count(*) FROM later_deliveries WHERE event = ?1)
    FROM events WHERE key = ?1";

/// See [`Store::events`](super::super::Store::events).
pub(super) fn list(
    db: &Connection,
    space: &SpaceId,
    before: Option<&EventId>,
    limit: usize,
) -> Result<ListPart<Event, EventId>, StoreError> {
    let mut select = db.prepare_cached(BY_KEY)?;
    let rows = newest(db, space, before, limit)?
        .into_iter()
        .map(|key| select.query_row([key], |row| Ok((read(row, key)?, row.bytes("data")? + row.bytes("previous")?))));
    part(rows, limit, |event: &Event| event.id.clone())
}

/// See [`Store::event_heads`](super::super::Store::event_heads).
pub(super) fn heads(
    db: &Connection,
    space: &SpaceId,
    EventFilter { value, before }: &EventFilter,
    limit: usize,
) -> Result<ListPart<EventHead, EventId>, StoreError> {
    let mut select = db.prepare_cached(HEAD_BY_KEY)?;
    let before = before.as_ref();
    let keys = match (value, names::space(db, space)?) {
        (Some(value), Some(space)) => values::events(db, space, value, before, limit + 1)?,
        _ => newest(db, space, before, limit)?,
    };
    let rows = keys.into_iter().map(|key| select.query_row([key], |row| Ok((read_head(row, key)?, 0))));
    part(rows, limit, |event: &EventHead| event.id.clone())
}

/// Returns the keys of a space's newest events, before one of them: one more than `limit`.
fn newest(db: &Connection, space: &SpaceId, before: Option<&EventId>, limit: usize) -> Result<Vec<i64>, StoreError> {
    let Some(space) = names::space(db, space)? else { return Ok(Vec::new()) };
    let before = match before {
        None => i64::MAX,
        Some(id) => match ids::event(db, space, id)? {
            Some(key) => key,
            None => return Ok(Vec::new()),
        },
    };
    let types = keys::types(db, &keys::EVENTS_OF_SPACE, space)?;
    keys::newest(db, &keys::EVENTS_OF_SPACE, space, &types, keys::Range { from: 0, before }, limit + 1)
}

/// Returns the head of a space's event, if it exists.
pub(super) fn head(db: &Connection, space: &SpaceId, id: &EventId) -> Result<Option<EventHead>, StoreError> {
    let Some(space) = names::space(db, space)? else { return Ok(None) };
    let Some(key) = ids::event(db, space, id)? else { return Ok(None) };
    Ok(Some(db.prepare_cached(HEAD_BY_KEY)?.query_row([key], |row| read_head(row, key))?))
}

/// Reads an event's head.
pub(super) fn read_head(row: &Row<'_>, key: i64) -> rusqlite::Result<EventHead> {
    let accepted_at = row.time("accepted_at")?;
    Ok(EventHead {
        id: ids::of_event(key, row.value("id")?, accepted_at)?,
        kind: row.text("type")?,
        occurred_at: row.time("occurred_at")?,
        accepted_at,
    })
}

/// See [`Store::event`](super::super::Store::event).
pub(super) fn one(db: &Connection, space: &SpaceId, id: &EventId) -> Result<Option<(Event, u64)>, StoreError> {
    let Some(space) = names::space(db, space)? else { return Ok(None) };
    let Some(key) = ids::event(db, space, id)? else { return Ok(None) };
    let event = db.prepare_cached(BY_KEY)?.query_row([key], |row| read(row, key))?;
    Ok(Some((event, deliveries_made(db, key)?)))
}

/// Returns the number of an event's deliveries.
pub(super) fn deliveries_made(db: &Connection, key: i64) -> Result<u64, StoreError> {
    let made: i64 = db.prepare_cached(DELIVERIES_MADE)?.query_row([key], |row| row.get(0))?;
    Ok(made.unsigned_abs())
}

/// Events by their keys, each read once: an event that many deliveries share is in memory once.
#[derive(Default)]
pub(super) struct Events(HashMap<i64, Arc<Event>>);

impl Events {
    /// Returns the event with this key.
    pub(super) fn get(&mut self, db: &Connection, key: i64) -> rusqlite::Result<Arc<Event>> {
        if let Some(event) = self.0.get(&key) {
            return Ok(Arc::clone(event));
        }
        let event = Arc::new(db.prepare_cached(BY_KEY)?.query_row([key], |row| read(row, key))?);
        self.0.insert(key, Arc::clone(&event));
        Ok(event)
    }
}

fn read(row: &Row<'_>, key: i64) -> rusqlite::Result<Event> {
    let raw = |column, text| RawValue::from_string(text).map_err(|error| corrupt(column, error));
    let previous: Option<String> = row.value("previous")?;
    let accepted_at = row.time("accepted_at")?;
    Ok(Event {
        space: row.text("space")?,
        id: ids::of_event(key, row.value("id")?, accepted_at)?,
        kind: row.text("type")?,
        occurred_at: row.time("occurred_at")?,
        accepted_at,
        data: raw("data", row.value("data")?)?.into(),
        changed_fields: row.json_if_any("changed_fields")?,
        previous: previous.map(|text| Ok::<_, rusqlite::Error>(raw("previous", text)?.into())).transpose()?,
    })
}
