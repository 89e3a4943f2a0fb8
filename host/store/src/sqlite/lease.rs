//! Leases: the hold of a worker on a delivery, and the deliveries that are next.

use hookmill_model::{Delivery, DeliveryId, SubscriptionId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::StoreError;
use super::deliveries::{COLUMNS, Delivered};
use super::row::{Columns as _, count, micros};

/// One step in the index, however many deliveries of the subscription before are pending.
pub(super) const NEXT_SUBSCRIPTION: &str = "
    SELECT subscription, ready_at FROM deliveries INDEXED BY deliveries_by_readiness
    WHERE state = 'pending' AND subscription > ?1 ORDER BY subscription, ready_at LIMIT 1";

pub(super) const READY: &str = "
    SELECT id FROM deliveries INDEXED BY deliveries_by_readiness
    WHERE state = 'pending' AND subscription = ?1 AND ready_at <= ?2 ORDER BY ready_at, id LIMIT ?3";

pub(super) const HAND_BACK: &str = "
    UPDATE deliveries SET leased_until = NULL, ready_at = due_at
    WHERE id = ?1 AND state = 'pending' AND leased_until = ?2";

pub(super) const END_ALL: &str = "
    UPDATE deliveries INDEXED BY deliveries_by_readiness SET leased_until = NULL, ready_at = due_at
    WHERE state = 'pending' AND leased_until IS NOT NULL";

/// See [`Store::pending`](super::super::Store::pending).
pub(super) fn pending(db: &Connection) -> Result<Vec<(SubscriptionId, Timestamp)>, StoreError> {
    let mut next = db.prepare_cached(NEXT_SUBSCRIPTION)?;
    let mut found = Vec::new();
    // Every id is greater than the empty string.
    let mut after = String::new();
    while let Some((subscription, ready_at)) =
        next.query_row([&after], |row| Ok((row.text("subscription")?, row.time("ready_at")?))).optional()?
    {
        after = SubscriptionId::to_string(&subscription);
        found.push((subscription, ready_at));
    }
    Ok(found)
}

/// Returns the ids of the deliveries that may be leased: of each subscription up to so many, the longest due first. Each is
/// a step in an index.
fn ready(db: &Connection, now: Timestamp, wanted: &[(SubscriptionId, usize)]) -> Result<Vec<String>, StoreError> {
    let mut select = db.prepare_cached(READY)?;
    let mut all = Vec::new();
    for (subscription, limit) in wanted {
        let parameters = params![subscription.to_string(), micros(now), count(*limit)];
        for id in select.query_map(parameters, |row| row.get(0))? {
            all.push(id?);
        }
    }
    Ok(all)
}

/// See [`Store::lease_due`](super::super::Store::lease_due). At least one is leased, whatever its size. Run by the only
/// writer, so two leases of one delivery cannot conflict.
pub(super) fn lease(
    db: &Connection,
    wanted: &[(SubscriptionId, usize)],
    now: Timestamp,
    leased_until: Timestamp,
    bytes_max: usize,
) -> Result<Vec<Delivery>, StoreError> {
    let mut update = db.prepare_cached(&lease_sql())?;
    let mut read = Delivered::new(db);
    let ready = ready(db, now, wanted)?;
    let mut leased = Vec::with_capacity(ready.len());
    let mut bytes = 0_usize;
    for id in &ready {
        let parameters = params![id, micros(now), micros(leased_until)];
        let Some(delivery) = update.query_row(parameters, |row| read.row(row)).optional()? else { continue };
        bytes = bytes.saturating_add(delivery.bytes());
        leased.push(delivery);
        if bytes >= bytes_max {
            break;
        }
    }
    Ok(leased)
}

pub(super) fn lease_sql() -> String {
    format!(
        "UPDATE deliveries SET leased_until = ?3, ready_at = ?3
        WHERE id = ?1 AND state = 'pending' AND ready_at <= ?2 RETURNING {COLUMNS}"
    )
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
