//! Deleting deliveries after their retention, with their attempts. Events stay.

use hookmill_model::SubscriptionId;
use jiff::Timestamp;
use rusqlite::Connection;

use super::super::StoreError;
use super::row::{count, micros};
use super::writing::Writing;
use super::{attempts, keys};

/// Of one type, in order of acceptance. What is being sent has no attempt, what was resent waits: neither is old.
pub(super) const OLD: &str = "
    SELECT key FROM deliveries AS d INDEXED BY deliveries_of_subscription
    WHERE subscription = ?1 AND type = ?2 AND key < ?3
        AND NOT EXISTS (SELECT 1 FROM waiting WHERE delivery = d.key)
        AND coalesce(
            (SELECT completed_at FROM ended WHERE delivery = d.key),
            (SELECT recorded_at FROM attempts
                WHERE key > d.key * 65536 AND key < (d.key + 1) * 65536 ORDER BY key DESC LIMIT 1)
        ) < ?4
    ORDER BY key LIMIT ?5";

const DELETE_ATTEMPTS: &str = "DELETE FROM attempts WHERE key > ?1 AND key < ?2";

/// What else there may be of a delivery, in this order.
const DELETE: [&str; 4] = [
    "DELETE FROM later_deliveries WHERE delivery = ?1 AND event IN (
        SELECT event FROM batched_events WHERE delivery = ?1 UNION ALL SELECT event FROM deliveries WHERE key = ?1)",
    "DELETE FROM batched_events WHERE delivery = ?1",
    "DELETE FROM ended WHERE delivery = ?1",
    "DELETE FROM deliveries WHERE key = ?1",
];

/// See [`Store::forget`](super::super::Store::forget).
pub(super) fn forget(
    db: &Writing<'_>,
    subscription: SubscriptionId,
    before: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
    let subscription = db.subscription(subscription)?;
    // An event was accepted no later than its delivery ended.
    let end = keys::accepted(db, None, Some(before))?.before;
    let mut old = Vec::new();
    for kind in keys::types(db, &keys::DELIVERIES_OF_SUBSCRIPTION, subscription)? {
        let mut select = db.prepare_cached(OLD)?;
        let rows = count(limit - old.len());
        for key in select.query_map([subscription, kind, end, micros(before), rows], |row| row.get(0))? {
            old.push(key?);
        }
    }
    for key in &old {
        delete(db, *key)?;
    }
    Ok(old.len())
}

/// Deletes the final delivery with this key, with its attempts.
pub(super) fn delete(db: &Connection, key: i64) -> Result<(), StoreError> {
    db.prepare_cached(DELETE_ATTEMPTS)?.execute(attempts::range(key))?;
    for sql in DELETE {
        db.prepare_cached(sql)?.execute([key])?;
    }
    Ok(())
}
