//! Subscriptions: their definitions and activity, and the effects of a change of state on their deliveries.

use hookmill_model::{Activity, DeliveryState, Pause, SpaceId, Subscription, SubscriptionId, SubscriptionState};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{ListPart, StoreError};
use super::deliveries::{self, Of};
use super::queues::Queued;
use super::row::{Columns as _, count, json, micros, part};
use super::unreadable::{SUBSCRIPTION, Unreadable};
use super::writing::Writing;
use super::{notices, pinned, shadows};

const PUT: &str = "
    INSERT INTO subscriptions (id, space, state, definition, key) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (id) DO UPDATE SET space = ?2, state = ?3, definition = ?4";

const UPDATE: &str = "UPDATE subscriptions SET space = ?2, state = ?3, definition = ?4 WHERE id = ?1";

pub(super) const SET_FREE: &str = "
    UPDATE waiting INDEXED BY waiting_of_subscription SET state = 'pending', due_at = max(due_at, ?2)
    WHERE subscription = ?1 AND state = 'held' RETURNING attempts > 0 AS attempted";

pub(super) const WAITING: &str = "
    SELECT delivery FROM waiting INDEXED BY waiting_of_subscription WHERE subscription = ?1 AND state = ?2";

/// Failures before an activation do not count.
const RESET_FAILURES: &str = "UPDATE subscription_activity SET failure_streak = 0, failed_deliveries = 0, plugin_failures = 0 WHERE subscription = ?1";

/// Failures of another plugin do not count for the new one.
const RESET_PLUGIN_FAILURES: &str = "UPDATE subscription_activity SET plugin_failures = 0 WHERE subscription = ?1";

const STATE: &str = "SELECT state FROM subscriptions WHERE id = ?1";

const DEFINITION: &str = "SELECT definition FROM subscriptions WHERE id = ?1";

const ONE: &str = "
    SELECT id, definition, failure_streak, failed_deliveries, last_triggered_at, plugin_failures
    FROM subscriptions LEFT JOIN subscription_activity ON subscription = key
    WHERE id = ?1 AND space = ?2 AND state <> 'deleted'";

pub(super) const OF_SPACE: &str = "
    SELECT id, definition, failure_streak, failed_deliveries, last_triggered_at, plugin_failures
    FROM subscriptions INDEXED BY subscriptions_of_space LEFT JOIN subscription_activity ON subscription = key
    WHERE space = ?3 AND id > ?1 AND state <> 'deleted' ORDER BY id LIMIT ?2";

pub(super) const OF_ALL: &str = "
    SELECT id, definition, failure_streak, failed_deliveries, last_triggered_at, plugin_failures
    FROM subscriptions LEFT JOIN subscription_activity ON subscription = key
    WHERE id > ?1 AND state <> 'deleted' ORDER BY id LIMIT ?2";

/// See [`Store::put_subscription`](super::super::Store::put_subscription).
pub(super) fn put(db: &Writing<'_>, subscription: &Subscription, now: Timestamp) -> Result<(), StoreError> {
    let id = subscription.id.to_string();
    let before =
        db.prepare_cached(DEFINITION)?.query_row([id], |row| row.json::<Subscription>("definition")).optional()?;
    create_or_replace(db, subscription)?;
    let key = db.subscription(subscription.id)?;
    shadows::follow(db, subscription, now)?;
    if let (Some(plugin), Some(old)) = (&subscription.plugin, before.as_ref().and_then(|before| before.plugin.as_ref()))
        && !plugin.runs_as(old)
    {
        db.prepare_cached(RESET_PLUGIN_FAILURES)?.execute([key])?;
    }
    let before = before.map(|before| before.state);
    match subscription.state {
        // A subscription that is new or was active before has no held deliveries.
        SubscriptionState::Active if matches!(before, None | Some(SubscriptionState::Active)) => {}
        SubscriptionState::Active => {
            set_free(db, Of { space: db.space(&subscription.space)?, subscription: key }, now)?;
            db.prepare_cached(RESET_FAILURES)?.execute([key])?;
            notices::activated(db, subscription.id, now)?;
        }
        // The deliver loop holds its deliveries, each when it is due.
        SubscriptionState::Draft | SubscriptionState::Verifying | SubscriptionState::Paused => {}
        SubscriptionState::Deleted => {
            let of = Of { space: db.space(&subscription.space)?, subscription: key };
            for state in [DeliveryState::Pending, DeliveryState::Held] {
                cancel_all(db, of, state, now)?;
            }
            pinned::drop_unused(db)?;
        }
    }
    Ok(())
}

/// Makes what is held pending.
fn set_free(db: &Writing<'_>, of: Of, now: Timestamp) -> Result<(), StoreError> {
    let mut update = db.prepare_cached(SET_FREE)?;
    let mut rows = update.query([of.subscription, micros(now)])?;
    while let Some(row) = rows.next()? {
        db.moved(DeliveryState::Held, DeliveryState::Pending, 1);
        db.queued(of, Queued::of(DeliveryState::Held, false, -1));
        db.queued(of, Queued::of(DeliveryState::Pending, row.value("attempted")?, 1));
    }
    Ok(())
}

/// Cancels a deleted subscription's deliveries in a state, except those that a worker may be sending.
fn cancel_all(db: &Writing<'_>, of: Of, state: DeliveryState, now: Timestamp) -> Result<(), StoreError> {
    let mut select = db.prepare_cached(WAITING)?;
    let rows = select.query_map(params![of.subscription, state.as_str()], |row| row.get(0))?;
    for key in rows.collect::<rusqlite::Result<Vec<i64>>>()? {
        if db.leases(|leases| leases.get(key).is_none_or(|lease| lease.until <= micros(now))) {
            db.set_lease(key, None);
            deliveries::cancel(db, key, of, state, now, "the subscription was deleted")?;
        }
    }
    Ok(())
}

fn create_or_replace(db: &Writing<'_>, subscription: &Subscription) -> Result<(), StoreError> {
    db.prepare_cached(PUT)?.execute(params![
        subscription.id.to_string(),
        subscription.space.as_str(),
        subscription.state.as_str(),
        json(subscription),
        db.take_keys(1),
    ])?;
    Ok(())
}

/// Pauses a subscription if it is active: a caller's own change takes precedence. True if it was active.
pub(super) fn pause(db: &Connection, id: SubscriptionId, pause: &Pause) -> Result<bool, StoreError> {
    let mut subscription: Subscription =
        db.prepare_cached(DEFINITION)?.query_row([id.to_string()], |row| row.json("definition"))?;
    if subscription.state != SubscriptionState::Active {
        return Ok(false);
    }
    subscription.state = SubscriptionState::Paused;
    subscription.pause_reason = Some(pause.reason);
    subscription.pause_detail = Some(pause.detail.clone());
    db.prepare_cached(UPDATE)?.execute(params![
        id.to_string(),
        subscription.space.as_str(),
        subscription.state.as_str(),
        json(&subscription),
    ])?;
    Ok(true)
}

/// Returns a subscription's state.
pub(super) fn state(db: &Connection, id: SubscriptionId) -> Result<SubscriptionState, StoreError> {
    Ok(db.prepare_cached(STATE)?.query_row([id.to_string()], |row| row.variant("state"))?)
}

/// See [`Store::subscriptions`](super::super::Store::subscriptions).
pub(super) fn list(
    db: &Connection,
    unreadable: &Unreadable,
    space: Option<&SpaceId>,
    after: Option<SubscriptionId>,
    limit: usize,
) -> Result<ListPart<(Subscription, Activity), SubscriptionId>, StoreError> {
    // Every id is greater than the empty string.
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let read =
        |row: &Row<'_>| unreadable.read((SUBSCRIPTION, "id"), row, |row| Ok((read(row)?, row.bytes("definition")?)));
    let id = |(subscription, _): &(Subscription, _)| subscription.id;
    unreadable.list(limit, |rows| {
        let rows = count(rows);
        let mut select = db.prepare_cached(if space.is_some() { OF_SPACE } else { OF_ALL })?;
        let found = match space {
            Some(space) => select.query_map(params![after, rows, space.as_str()], read)?,
            None => select.query_map(params![after, rows], read)?,
        };
        part(found.filter_map(Result::transpose), limit, id)
    })
}

/// See [`Store::subscription`](super::super::Store::subscription).
pub(super) fn one(
    db: &Connection,
    unreadable: &Unreadable,
    space: &SpaceId,
    id: SubscriptionId,
) -> Result<Option<(Subscription, Activity)>, StoreError> {
    let mut select = db.prepare_cached(ONE)?;
    let found = select
        .query_row(params![id.to_string(), space.as_str()], |row| unreadable.read((SUBSCRIPTION, "id"), row, read));
    match found.optional()? {
        Some(None) => Err(StoreError::Unreadable(SUBSCRIPTION, id.to_string())),
        found => Ok(found.flatten()),
    }
}

/// A subscription, with the bytes of its definition.
pub(super) type WithBytes = ((Subscription, Activity), usize);

/// The same, with the bytes of its definition.
pub(super) fn one_with_bytes(
    db: &Connection,
    space: &SpaceId,
    id: SubscriptionId,
) -> Result<Option<WithBytes>, StoreError> {
    let read = |row: &Row<'_>| Ok((read(row)?, row.bytes("definition")?));
    Ok(db.prepare_cached(ONE)?.query_row(params![id.to_string(), space.as_str()], read).optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(Subscription, Activity)> {
    Ok((row.json("definition")?, read_activity(row)?))
}

/// Reads a subscription's activity; its columns are NULL until the first attempt.
pub(super) fn read_activity(row: &Row<'_>) -> rusqlite::Result<Activity> {
    Ok(Activity {
        failure_streak: row.value::<Option<u32>>("failure_streak")?.unwrap_or(0),
        failed_deliveries: row.value::<Option<u32>>("failed_deliveries")?.unwrap_or(0),
        plugin_failures: row.value::<Option<u32>>("plugin_failures")?.unwrap_or(0),
        last_triggered_at: row.time_if_any("last_triggered_at")?,
    })
}
