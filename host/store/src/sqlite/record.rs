//! Recording the results of deliveries whose leases are still those of their workers: on this correctness rests.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use hookmill_model::{Activity, DeliveryState, SubscriptionState};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Record, Recorded, StoreError};
use super::deliveries::Of;
use super::leases::Lease;
use super::queues::Queued;
use super::row::micros;
use super::tallies::Counted;
use super::writing::Writing;
use super::{attempts, ids, notices, pinned, subscriptions};

pub(super) const PUT_WAITING: &str = "
    INSERT INTO waiting (delivery, space, subscription, state, due_at, attempts, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (delivery) DO UPDATE SET state = ?4, due_at = ?5, attempts = ?6, reason = ?7";

pub(super) const DELETE_WAITING: &str = "DELETE FROM waiting WHERE delivery = ?1";

const ATTEMPTS: &str = "SELECT attempts FROM waiting WHERE delivery = ?1";

pub(super) const PUT_ENDED: &str = "
    INSERT INTO ended (delivery, space, subscription, state, completed_at, due_at, attempts, reason)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

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
    let mut activities = HashMap::new();
    let mut recorded = Vec::with_capacity(records.len());
    for record in records {
        recorded.push(match leased(db, record)? {
            Some((key, lease)) => {
                write(db, record, key, &lease)?;
                Recorded::Written { paused: count(db, &mut activities, record, &lease)? }
            }
            None => Recorded::Stale,
        });
    }
    for (subscription, activity) in activities {
        put_activity(db, subscription, &activity)?;
    }
    Ok(recorded)
}

/// Returns the key of a record's delivery and its lease, if that is still the record's.
fn leased(db: &Writing<'_>, record: &Record) -> Result<Option<(i64, Lease)>, StoreError> {
    let until = micros(record.leased_until);
    let of = |key| db.lease(key).filter(|lease| lease.until == until).map(|lease| (key, lease));
    let own = record.delivery_id.key().and_then(of);
    match own.filter(|(_, lease)| lease.subscription_id == record.subscription_id) {
        Some(leased) => Ok(Some(leased)),
        None => Ok(ids::delivery(db, record.delivery_id)?.and_then(of)),
    }
}

/// Counts a written record's attempt in its subscription's activity, and pauses the subscription if its policy says so.
/// True if it was active until then.
fn count(
    db: &Connection,
    activities: &mut HashMap<i64, Activity>,
    record: &Record,
    lease: &Lease,
) -> Result<bool, StoreError> {
    let Some(counted) = record.counted() else { return Ok(false) };
    let activity = match activities.entry(lease.subscription) {
        Entry::Occupied(read) => read.into_mut(),
        Entry::Vacant(unread) => unread.insert(activity(db, lease.subscription)?),
    };
    activity.count(&counted);
    let Some(pause) = record.pause_policy.decide(&counted, activity) else { return Ok(false) };
    let paused = subscriptions::pause(db, record.subscription_id, &pause)?;
    if paused {
        notices::paused_by(db, record, &lease.event, &pause)?;
    }
    Ok(paused)
}

fn activity(db: &Connection, subscription: i64) -> Result<Activity, StoreError> {
    let mut select = db.prepare_cached(ACTIVITY)?;
    let activity = select.query_row([subscription], subscriptions::read_activity).optional()?;
    Ok(activity.unwrap_or_default())
}

fn put_activity(db: &Connection, subscription: i64, activity: &Activity) -> Result<(), StoreError> {
    db.prepare_cached(PUT_ACTIVITY)?.execute(params![
        subscription,
        activity.failure_streak,
        activity.failed_deliveries,
        activity.last_triggered_at.map(micros),
        activity.plugin_failures,
    ])?;
    Ok(())
}

/// Writes a record under its lease, which ends.
fn write(db: &Writing<'_>, record: &Record, key: i64, lease: &Lease) -> Result<(), StoreError> {
    let state = state_now(db, record)?;
    let attempts = match &record.attempt {
        Some(attempt) => {
            attempts::insert(db, key, lease, record, attempt)?;
            attempt.number
        }
        None if lease.fresh => 0,
        None => db.prepare_cached(ATTEMPTS)?.query_row([key], |row| row.get(0))?,
    };
    let (due_at, reason) = (micros(record.due_at), record.reason.as_deref());
    let of = Of { space: lease.space, subscription: lease.subscription };
    if !lease.fresh {
        let before = attempts - u32::from(record.attempt.is_some());
        db.queued(of, Queued::of(DeliveryState::Pending, before > 0, -1));
    }
    match state {
        DeliveryState::Pending | DeliveryState::Held => {
            db.queued(of, Queued::of(state, attempts > 0, 1));
            let row = params![key, lease.space, lease.subscription, state.as_str(), due_at, attempts, reason];
            db.prepare_cached(PUT_WAITING)?.execute(row)?;
        }
        _ if !lease.fresh => {
            db.prepare_cached(DELETE_WAITING)?.execute([key])?;
        }
        _ => {}
    }
    match state {
        DeliveryState::Failed | DeliveryState::Skipped | DeliveryState::Cancelled => {
            let (at, state) = (micros(record.at), state.as_str());
            let row = params![key, lease.space, lease.subscription, state, at, due_at, attempts, reason];
            db.prepare_cached(PUT_ENDED)?.execute(row)?;
        }
        // Its attempt is its state.
        DeliveryState::Delivered if record.attempt.is_none() => {
            return Err(StoreError::Corrupt("a delivery was recorded as delivered without an attempt".to_owned()));
        }
        DeliveryState::Delivered | DeliveryState::Pending | DeliveryState::Held => {}
    }
    if let Some(pinned) = &record.pinned {
        if state.is_final() {
            pinned::drop_if_unused(db, pinned)?;
        } else {
            pinned::keep(db, key, pinned)?;
        }
    }
    db.set_lease(key, None);
    db.moved(DeliveryState::Pending, state, 1);
    if let Some(what) = counted(state, record.attempt.is_some()) {
        db.count(lease.space, lease.subscription, record.at, what, 1);
    }
    notices::follow(db, record, &lease.event, state)
}

/// Returns what a record counts as.
fn counted(state: DeliveryState, attempted: bool) -> Option<Counted> {
    match state {
        DeliveryState::Pending => attempted.then_some(Counted::Retried),
        DeliveryState::Held => None,
        DeliveryState::Delivered => Some(Counted::Delivered),
        DeliveryState::Failed => Some(Counted::Failed),
        DeliveryState::Skipped => Some(Counted::Skipped),
        DeliveryState::Cancelled => Some(Counted::Cancelled),
    }
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
