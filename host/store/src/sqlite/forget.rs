//! Deleting deliveries after their retention, with their attempts. Events stay.

use hookmill_model::SubscriptionId;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::StoreError;
use super::deliveries::first_id;
use super::row::{count, micros};

/// Ids start with the millisecond in which the event was accepted, which is no later than the end: they narrow the scan.
const OLD: &str = "
    SELECT id FROM deliveries INDEXED BY deliveries_of_subscription
    WHERE subscription = ?1 AND id < ?2 AND completed_at < ?3 ORDER BY id LIMIT ?4";

/// In this order, since the others refer to the deliveries.
const FORGET: [&str; 3] = [
    "DELETE FROM attempts WHERE delivery = ?1",
    "DELETE FROM batched_events WHERE delivery = ?1",
    "DELETE FROM deliveries WHERE id = ?1",
];

/// See [`Store::forget`](super::super::Store::forget).
pub(super) fn forget(
    db: &Connection,
    subscription: SubscriptionId,
    before: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
    let first = first_id(before.as_millisecond());
    let parameters = params![subscription.to_string(), first, micros(before), count(limit)];
    let mut select = db.prepare_cached(OLD)?;
    let old: Vec<String> = select.query_map(parameters, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for sql in FORGET {
        let mut delete = db.prepare_cached(sql)?;
        for id in &old {
            delete.execute([id])?;
        }
    }
    Ok(old.len())
}
