//! Rows by their ids: an id that the host made contains its row's key, others are looked up in an index.

use hookmill_model::{DeliveryId, EventId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::StoreError;
use super::row::{Columns as _, corrupt};

pub(super) const DELIVERY_BY_KEY: &str = "
    SELECT accepted_at FROM deliveries JOIN events ON events.key = event WHERE deliveries.key = ?1 AND deliveries.id IS NULL";

pub(super) const DELIVERY_BY_ID: &str = "SELECT key FROM deliveries INDEXED BY deliveries_by_id WHERE id = ?1";

pub(super) const EVENT_BY_KEY: &str = "SELECT accepted_at FROM events WHERE key = ?1 AND space = ?2 AND id IS NULL";

pub(super) const EVENT_BY_ID: &str = "
    SELECT key FROM events INDEXED BY event_id_is_unique_in_its_space WHERE space = ?1 AND id = ?2";

/// Returns the key of a delivery, if it exists.
pub(super) fn delivery(db: &Connection, id: DeliveryId) -> Result<Option<i64>, StoreError> {
    if let Some(key) = id.key() {
        let at = db.prepare_cached(DELIVERY_BY_KEY)?.query_row([key], |row| row.time("accepted_at")).optional()?;
        if at.is_some_and(|at| DeliveryId::with_key(at, key) == id) {
            return Ok(Some(key));
        }
    }
    Ok(db.prepare_cached(DELIVERY_BY_ID)?.query_row([id.to_bytes()], |row| row.get(0)).optional()?)
}

/// Returns the key of a space's event, if it exists.
pub(super) fn event(db: &Connection, space: i64, id: &EventId) -> Result<Option<i64>, StoreError> {
    if let Some(key) = id.key() {
        let found = db.prepare_cached(EVENT_BY_KEY)?.query_row([key, space], |row| row.time("accepted_at"));
        if found.optional()?.is_some_and(|at| EventId::with_key(at, key) == *id) {
            return Ok(Some(key));
        }
    }
    Ok(db.prepare_cached(EVENT_BY_ID)?.query_row(params![space, id.as_str()], |row| row.get(0)).optional()?)
}

/// Returns the id of the delivery with this key and stored id, whose event was accepted at this time.
pub(super) fn of_delivery(key: i64, stored: Option<[u8; 16]>, accepted_at: Timestamp) -> DeliveryId {
    stored.map_or_else(|| DeliveryId::with_key(accepted_at, key), DeliveryId::from_bytes)
}

/// Returns the id of the event with this key and stored id, which was accepted at this time.
pub(super) fn of_event(key: i64, stored: Option<String>, accepted_at: Timestamp) -> rusqlite::Result<EventId> {
    match stored {
        Some(text) => text.parse().map_err(|error| corrupt("id", error)),
        None => Ok(EventId::with_key(accepted_at, key)),
    }
}
