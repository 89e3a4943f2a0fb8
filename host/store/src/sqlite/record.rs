//! Recording the results of leased deliveries that are still as their leases left them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use hookmill_model::{Activity, DeliveryState, SubscriptionId, SubscriptionState};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::super::{Record, Recorded, StoreError};
use super::backlog::Writing;
use super::row::micros;
use super::{attempts, notices, pinned, subscriptions};

/// The compare-and-set on which correctness rests.
pub(super) const FINISH: &str = "
    UPDATE deliveries
    SET state = ?3, attempts = coalesce(?4, attempts), due_at = ?5, leased_until = NULL, ready_at = ?5,
        completed_at = ?6, reason = ?7, verbatim = iif(?6 IS NULL, verbatim, 0)
    WHERE id = ?1 AND state = 'pending' AND leased_until = ?2";

/// The same for a delivery with a pinned plugin, which is dropped at the end. Separate, since writing a column that refers
/// to another table makes SQLite keep a journal of the statement, which few deliveries need.
pub(super) const FINISH_WITH_PINNED: &str = "
    UPDATE deliveries
    SET state = ?3, attempts = coalesce(?4, attempts), due_at = ?5, leased_until = NULL, ready_at = ?5,
        completed_at = ?6, reason = ?7, verbatim = iif(?6 IS NULL, verbatim, 0), pinned = iif(?6 IS NULL, pinned, NULL)
    WHERE id = ?1 AND state = 'pending' AND leased_until = ?2";

const ACTIVITY: &str = "
    SELECT failure_streak, failed_deliveries, last_triggered_at, plugin_failures
    FROM subscription_activity WHERE subscription = ?1";

const PUT_ACTIVITY: &str = "
    INSERT INTO subscription_activity (
        subscription, failure_streak, failed_deliveries, last_triggered_at, plugin_failures
    )
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (subscription) DO UPDATE SET
        failure_streak = ?2, failed_deliveries = ?3, last_triggered_at = ?4, plugin_failures = ?5";

/// See [`Store::record`](super::super::Store::record).
pub(super) fn record(db: &Writing<'_>, records: &[Record]) -> Result<Vec<Recorded>, StoreError> {
    let mut finish = (db.prepare_cached(FINISH)?, db.prepare_cached(FINISH_WITH_PINNED)?);
    let mut activities = HashMap::new();
    let mut recorded = Vec::with_capacity(records.len());
    for record in records {
        recorded.push(if write(db, &mut finish, record)? {
            Recorded::Written { paused: count(db, &mut activities, record)? }
        } else {
            Recorded::Stale
        });
    }
    for (subscription, activity) in activities {
        put_activity(db, subscription, &activity)?;
    }
    Ok(recorded)
}

/// Counts a written record's attempt in its subscription's activity, and pauses the subscription if its policy says so.
/// True if it was active until then.
fn count(
    db: &Connection,
    activities: &mut HashMap<SubscriptionId, Activity>,
    record: &Record,
) -> Result<bool, StoreError> {
    let Some(counted) = record.counted() else { return Ok(false) };
    let activity = match activities.entry(record.subscription_id) {
        Entry::Occupied(read) => read.into_mut(),
        Entry::Vacant(unread) => unread.insert(activity(db, record.subscription_id)?),
    };
    activity.count(&counted);
    let Some(pause) = record.pause_policy.decide(&counted, activity) else { return Ok(false) };
    let paused = subscriptions::pause(db, record.subscription_id, &pause)?;
    if paused {
        notices::paused_by(db, record, &pause)?;
    }
    Ok(paused)
}

fn activity(db: &Connection, subscription: SubscriptionId) -> Result<Activity, StoreError> {
    let mut select = db.prepare_cached(ACTIVITY)?;
    let activity = select.query_row([subscription.to_string()], subscriptions::read_activity).optional()?;
    Ok(activity.unwrap_or_default())
}

fn put_activity(db: &Connection, subscription: SubscriptionId, activity: &Activity) -> Result<(), StoreError> {
    db.prepare_cached(PUT_ACTIVITY)?.execute(params![
        subscription.to_string(),
        activity.failure_streak,
        activity.failed_deliveries,
        activity.last_triggered_at.map(micros),
        activity.plugin_failures,
    ])?;
    Ok(())
}

/// Writes a record. False, and nothing written, if the delivery is no longer as its lease left it.
fn write<'db>(
    db: &'db Writing<'_>,
    (finish, finish_with_pinned): &mut (CachedStatement<'db>, CachedStatement<'db>),
    record: &Record,
) -> Result<bool, StoreError> {
    let state = state_now(db, record)?;
    let finish = if record.pinned.is_some() { finish_with_pinned } else { finish };
    let updated = finish.execute(params![
        record.delivery_id.to_string(),
        micros(record.leased_until),
        state.as_str(),
        record.attempt.as_ref().map(|attempt| attempt.number),
        micros(record.due_at),
        state.is_final().then_some(micros(record.at)),
        record.reason,
    ])?;
    if updated == 0 {
        return Ok(false);
    }
    db.moved(DeliveryState::Pending, state, 1);
    if let Some(attempt) = &record.attempt {
        attempts::insert(db, attempt)?;
    }
    if let Some(pinned) = &record.pinned {
        if state.is_final() {
            pinned::drop_if_unused(db, pinned)?;
        } else {
            pinned::keep(db, record.delivery_id, pinned)?;
        }
    }
    notices::follow(db, record, state)?;
    Ok(true)
}

/// The state that holds by now. The worker saw the subscription paused a moment ago: had it been activated or deleted
/// since, nothing would ever move the held delivery again.
fn state_now(db: &Connection, record: &Record) -> Result<DeliveryState, StoreError> {
    match record.state {
        DeliveryState::Held => Ok(match subscriptions::state(db, record.subscription_id)? {
            SubscriptionState::Active => DeliveryState::Pending,
            SubscriptionState::Draft | SubscriptionState::Verifying | SubscriptionState::Paused => DeliveryState::Held,
            SubscriptionState::Deleted => DeliveryState::Cancelled,
        }),
        state => Ok(state),
    }
}
