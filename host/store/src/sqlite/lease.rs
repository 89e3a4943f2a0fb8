//! Leasing: the deliveries that are next, and their return.

use std::collections::HashSet;

use hookmill_model::{Delivery, DeliveryId, DeliveryState, SubscriptionId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::super::StoreError;
use super::deliveries::Of;
use super::events::Events;
use super::ids;
use super::leases::{Lease, Leases, Summary};
use super::pinned::PinnedPlugins;
use super::queues::Queued;
use super::row::{Columns as _, micros};
use super::writing::Writing;

/// One step in the index, however many deliveries of the subscription before are pending.
pub(super) const NEXT_SUBSCRIPTION: &str = "
    SELECT subscription, due_at, delivery FROM waiting INDEXED BY waiting_by_due_time
    WHERE state = 'pending' AND subscription > ?1 ORDER BY subscription, due_at, delivery LIMIT 1";

pub(super) const BY_DUE_TIME: &str = "
    SELECT due_at, delivery FROM waiting INDEXED BY waiting_by_due_time
    WHERE state = 'pending' AND subscription = ?1 ORDER BY due_at, delivery";

pub(super) const ONE: &str = "
    SELECT deliveries.id AS id, event, test, batched, verbatim, pinned, waiting.due_at AS due_at, attempts, reason
    FROM waiting JOIN deliveries ON deliveries.key = delivery WHERE delivery = ?1";

/// A delivery goes back as it was accepted. One that has a row already keeps it.
pub(super) const PUT_BACK: &str = "
    INSERT INTO waiting (delivery, space, subscription, state, due_at, attempts)
    SELECT key, space, subscription, 'pending', due_at, 0 FROM deliveries WHERE key = ?1
    ON CONFLICT (delivery) DO NOTHING";

const SUBSCRIPTION_ID: &str = "SELECT id FROM subscriptions WHERE key = ?1";

/// See [`Store::pending`](super::super::Store::pending).
pub(super) fn pending(db: &Connection, leased: Summary) -> Result<Vec<(SubscriptionId, Timestamp)>, StoreError> {
    let mut next = db.prepare_cached(NEXT_SUBSCRIPTION)?;
    let mut id = db.prepare_cached(SUBSCRIPTION_ID)?;
    let mut found = Vec::new();
    let Summary { waiting, mut first_end } = leased;
    // Every key is greater.
    let mut after = 0;
    while let Some((subscription, mut due_at)) = next
        .query_row([after], |row| {
            let due_at = (!waiting.contains(&row.value("delivery")?)).then(|| row.value("due_at")).transpose()?;
            Ok((row.value("subscription")?, due_at))
        })
        .optional()?
    {
        after = subscription;
        if due_at.is_none() {
            due_at = first_free(db, subscription, &waiting)?;
        }
        let held = first_end.remove(&subscription);
        if let Some(at) = due_at.into_iter().chain(held.map(|(_, until)| until)).min() {
            found.push((id.query_row([subscription], |row| row.text("id"))?, time(at)?));
        }
    }
    for (id, until) in first_end.into_values() {
        found.push((id, time(until)?));
    }
    found.sort_unstable();
    Ok(found)
}

/// Returns when the first delivery of a subscription that nobody has leased is due.
fn first_free(db: &Connection, subscription: i64, leased: &HashSet<i64>) -> Result<Option<i64>, StoreError> {
    let mut select = db.prepare_cached(BY_DUE_TIME)?;
    let mut rows = select.query([subscription])?;
    while let Some(row) = rows.next()? {
        if !leased.contains(&row.value("delivery")?) {
            return Ok(Some(row.value("due_at")?));
        }
    }
    Ok(None)
}

fn time(at: i64) -> rusqlite::Result<Timestamp> {
    super::row::time("due_at", at)
}

/// See [`Store::lease_due`](super::super::Store::lease_due). At least one is leased, whatever its size. Run by the only
/// writer, so two leases of one delivery cannot conflict.
pub(super) fn lease(
    db: &Writing<'_>,
    wanted: &[(SubscriptionId, usize)],
    now: Timestamp,
    leased_until: Timestamp,
    bytes_max: usize,
) -> Result<Vec<Delivery>, StoreError> {
    for key in db.leases(|leases| leases.fresh_expired(micros(now))) {
        put_back(db, key)?;
    }
    let mut read = Reader { db, events: Events::default(), pinned: PinnedPlugins::default() };
    let mut leased = Vec::new();
    let mut bytes = 0_usize;
    for (subscription_id, limit) in wanted {
        let subscription = db.subscription(*subscription_id)?;
        for key in due(db, subscription, micros(now), *limit)? {
            let delivery = read.one(key, *subscription_id, leased_until)?;
            bytes = bytes.saturating_add(delivery.bytes());
            let (until, event, space) =
                (micros(leased_until), delivery.event.clone(), db.space(&delivery.event.space)?);
            let lease = Lease { until, subscription_id: *subscription_id, subscription, space, fresh: false, event };
            db.set_lease(key, Some(lease));
            leased.push(delivery);
            if bytes >= bytes_max {
                return Ok(leased);
            }
        }
    }
    Ok(leased)
}

/// Returns up to so many deliveries of a subscription that are due and free, the longest due first.
fn due(db: &Writing<'_>, subscription: i64, now: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
    let mut select = db.prepare_cached(BY_DUE_TIME)?;
    let mut rows = select.query([subscription])?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
        && row.value::<i64>("due_at")? <= now
    {
        let key = row.value("delivery")?;
        if db.leases(|leases| leases.get(key).is_none_or(|lease| lease.until <= now)) {
            found.push(key);
        }
    }
    Ok(found)
}

struct Reader<'db> {
    db: &'db Connection,
    events: Events,
    pinned: PinnedPlugins,
}

impl Reader<'_> {
    fn one(&mut self, key: i64, subscription: SubscriptionId, until: Timestamp) -> Result<Delivery, StoreError> {
        let mut select = self.db.prepare_cached(ONE)?;
        Ok(select.query_row([key], |row| self.row(row, key, subscription, until))?)
    }

    fn row(
        &mut self,
        row: &Row<'_>,
        key: i64,
        subscription_id: SubscriptionId,
        until: Timestamp,
    ) -> rusqlite::Result<Delivery> {
        let event = self.events.get(self.db, row.value("event")?)?;
        let pinned: Option<[u8; 32]> = row.value("pinned")?;
        Ok(Delivery {
            id: ids::of_delivery(key, row.value("id")?, event.accepted_at),
            subscription_id,
            event,
            batched: row.value("batched")?,
            more: Vec::new(),
            test: row.value("test")?,
            verbatim: row.value("verbatim")?,
            pinned: pinned.map(|id| self.pinned.get(self.db, id)).transpose()?,
            state: DeliveryState::Pending,
            attempts: row.value("attempts")?,
            due_at: row.time("due_at")?,
            leased_until: Some(until),
            completed_at: None,
            reason: row.value("reason")?,
        })
    }
}

/// Ends the lease of a delivery, which waits from now on.
pub(super) fn put_back(db: &Writing<'_>, key: i64) -> Result<(), StoreError> {
    if let Some(lease) = db.lease(key).filter(|lease| lease.fresh)
        && db.prepare_cached(PUT_BACK)?.execute([key])? > 0
    {
        let of = Of { space: lease.space, subscription: lease.subscription };
        db.queued(of, Queued::of(DeliveryState::Pending, false, 1));
    }
    db.set_lease(key, None);
    Ok(())
}

/// See [`Store::hand_back`](super::super::Store::hand_back).
pub(super) fn hand_back(db: &Writing<'_>, leases: &[(DeliveryId, Timestamp)]) -> Result<(), StoreError> {
    for (id, leased_until) in leases {
        if let Some(key) = ids::delivery(db, *id)?
            && db.lease(key).is_some_and(|lease| lease.until == micros(*leased_until))
        {
            put_back(db, key)?;
        }
    }
    Ok(())
}

/// See [`Store::end_all_leases`](super::super::Store::end_all_leases).
pub(super) fn end_all(db: &Writing<'_>) -> Result<usize, StoreError> {
    let all = db.leases(Leases::keys);
    for key in &all {
        put_back(db, *key)?;
    }
    Ok(all.len())
}
