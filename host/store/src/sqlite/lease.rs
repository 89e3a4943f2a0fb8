//! Leases: the hold of a worker on a delivery, and the deliveries that are next.

use hookmill_model::{Delivery, DeliveryId, SubscriptionId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::StoreError;
use super::deliveries::{COLUMNS, Delivered};
use super::row::{Columns as _, count, json, micros};

/// Covered by the index, so that skipping a subscription costs a step in the index and no row.
pub(super) const READY: &str = "
    SELECT id FROM deliveries INDEXED BY deliveries_by_readiness
    WHERE state = 'pending' AND ready_at <= ?1 AND subscription NOT IN (SELECT value FROM json_each(?2))
    ORDER BY ready_at, id LIMIT ?3";

pub(super) const NEXT_READY: &str = "
    SELECT ready_at FROM deliveries INDEXED BY deliveries_by_readiness
    WHERE state = 'pending' AND subscription NOT IN (SELECT value FROM json_each(?1))
    ORDER BY ready_at, id LIMIT 1";

pub(super) const HAND_BACK: &str = "
    UPDATE deliveries SET leased_until = NULL, ready_at = due_at
    WHERE id = ?1 AND state = 'pending' AND leased_until = ?2";

pub(super) const END_ALL: &str = "
    UPDATE deliveries INDEXED BY deliveries_by_readiness SET leased_until = NULL, ready_at = due_at
    WHERE state = 'pending' AND leased_until IS NOT NULL";

/// Returns the ids of the deliveries that may be leased, the longest due first.
///
/// Run by a reader: skipping a long queue takes 0.25 µs per entry, and the writer's commits should not wait for that.
pub(super) fn ready(
    db: &Connection,
    now: Timestamp,
    limit: usize,
    except: &[SubscriptionId],
) -> Result<Vec<String>, StoreError> {
    let mut select = db.prepare_cached(READY)?;
    let ready = select.query_map(params![micros(now), json(&except), count(limit)], |row| row.get(0))?;
    Ok(ready.collect::<rusqlite::Result<_>>()?)
}

/// Leases those of `ready` that are still ready. Run by the only writer, so two leases of one delivery cannot conflict.
pub(super) fn lease(
    db: &Connection,
    ready: &[String],
    now: Timestamp,
    leased_until: Timestamp,
) -> Result<Vec<Delivery>, StoreError> {
    let mut update = db.prepare_cached(&lease_sql())?;
    let mut read = Delivered::new(db);
    let mut leased = Vec::with_capacity(ready.len());
    for id in ready {
        let parameters = params![id, micros(now), micros(leased_until)];
        leased.extend(update.query_row(parameters, |row| read.row(row)).optional()?);
    }
    Ok(leased)
}

pub(super) fn lease_sql() -> String {
    format!(
        "UPDATE deliveries SET leased_until = ?3, ready_at = ?3
        WHERE id = ?1 AND state = 'pending' AND ready_at <= ?2 RETURNING {COLUMNS}"
    )
}

/// See [`Store::next_due`](super::super::Store::next_due).
pub(super) fn next_due(db: &Connection, except: &[SubscriptionId]) -> Result<Option<Timestamp>, StoreError> {
    let mut select = db.prepare_cached(NEXT_READY)?;
    Ok(select.query_row([json(&except)], |row| row.time("ready_at")).optional()?)
}

/// See [`Store::hand_back`](super::super::Store::hand_back).
pub(super) fn hand_back(db: &Connection, leases: &[(DeliveryId, Timestamp)]) -> Result<(), StoreError> {
    let mut update = db.prepare_cached(HAND_BACK)?;
    for (id, leased_until) in leases {
        update.execute(params![id.to_string(), micros(*leased_until)])?;
    }
    Ok(())
}

/// See [`Store::end_all_leases`](super::super::Store::end_all_leases).
pub(super) fn end_all(db: &Connection) -> Result<u64, StoreError> {
    Ok(db.prepare_cached(END_ALL)?.execute([])? as u64)
}
