//! Erasing at a caller's request: what is deleted, in steps.
//!
//! A step finds what is left by itself, so nothing but the erasure's row remembers it. What a worker is sending is waited for:
//! its result would be written after its rows were deleted. What waits is deleted with its attempts; a batch that waits is
//! replaced by one of its other events.

use hookmill_model::{DeliveryState, Erasure, ErasureTarget, EventId, SpaceId, SubscriptionId, Tally};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Place, StoreError};
use super::deliveries::Of;
use super::forget::{self, walk};
use super::queues::Queued;
use super::row::{Columns as _, count, json, micros};
use super::writing::Writing;
use super::{events, ids, keys, names, pinned, queues, values};

/// The result of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Erased {
    pub(super) events: usize,
    pub(super) deliveries: usize,
    /// Whether something is being sent, and was left.
    pub(super) in_flight: bool,
    /// Whether the step deleted as much as it may.
    pub(super) more: bool,
}

pub(super) const WAITING: &str = "SELECT state, pinned, batched FROM waiting WHERE delivery = ?1";

pub(super) const IS_FINAL: &str = "
    SELECT EXISTS (SELECT 1 FROM ended WHERE delivery = ?1)
        OR EXISTS (SELECT 1 FROM attempts WHERE key > ?1 * 65536 AND key < (?1 + 1) * 65536)";

pub(super) const OF_DELIVERY: &str = "
    SELECT d.id AS id, d.event AS event, d.space AS space, d.subscription AS subscription, subscriptions.id AS subscription_id,
        accepted_at
    FROM deliveries AS d JOIN events ON events.key = event JOIN subscriptions ON subscriptions.key = d.subscription
    WHERE d.key = ?1";

/// The reasons of a delivery that are kept elsewhere.
const FORGET_REASON: &str = "
    UPDATE failure_groups SET last_reason = NULL WHERE subscription = ?1 AND last_delivery = ?2";
pub(super) const FORGET_NOTICE: &str = "UPDATE notices SET last_reason = NULL, detail = NULL WHERE last_delivery = ?1";

const SHADOW: &str = "SELECT tally FROM shadows WHERE subscription = ?1";
const PUT_SHADOW: &str = "UPDATE shadows SET tally = ?2 WHERE subscription = ?1";

pub(super) const OF_SUBSCRIPTION: &str = "
    SELECT key FROM deliveries INDEXED BY deliveries_of_subscription
    WHERE subscription = ?1 AND type = ?2 AND key < ?3 ORDER BY key LIMIT ?4";

/// Erases the event with this key and its deliveries.
pub(super) fn event(db: &Writing<'_>, key: i64, now: Timestamp, left: &mut usize) -> Result<Erased, StoreError> {
    let mut erased = Erased::default();
    let Some(found) = forget::event(db, key)? else { return Ok(erased) };
    let next = walk(db, key, found, Place::default(), left, |db, delivery| {
        let free = release(db, delivery, Some(key), now)?;
        erased.deliveries += usize::from(free);
        erased.in_flight |= !free;
        Ok(free)
    })?;
    erased.more = next.is_some();
    if !erased.more && !forget::has_deliveries(db, key, found)? {
        forget::delete_event(db, key)?;
        erased.events = 1;
    }
    *left = left.saturating_sub(1);
    Ok(erased)
}

/// Erases events, in order; stops where one has to be left for a later step. Returns how many of them are gone.
pub(super) fn all(
    db: &Writing<'_>,
    found: &[i64],
    now: Timestamp,
    limit: usize,
) -> Result<(Erased, usize), StoreError> {
    let (mut all, mut left) = (Erased::default(), limit);
    for (gone, key) in found.iter().enumerate() {
        if left == 0 {
            return Ok((Erased { more: true, ..all }, gone));
        }
        let one = event(db, *key, now, &mut left)?;
        all.events += one.events;
        all.deliveries += one.deliveries;
        if one.in_flight || one.more {
            return Ok((Erased { in_flight: one.in_flight, more: one.more, ..all }, gone));
        }
    }
    Ok((all, found.len()))
}

/// Erases what a target names, but for values and spaces, whose events are found by [`find`].
pub(super) fn named(
    db: &Writing<'_>,
    erasure: &Erasure,
    end: i64,
    now: Timestamp,
    limit: usize,
) -> Result<Erased, StoreError> {
    let space = db.space(&erasure.space)?;
    match &erasure.target {
        ErasureTarget::Event(Some(id)) => match ids::event(db, space, id)? {
            Some(key) => event(db, key, now, &mut { limit }),
            None => Ok(Erased::default()),
        },
        ErasureTarget::Delivery(id) => match ids::delivery(db, *id)? {
            Some(key) => delivery(db, key, now),
            None => Ok(Erased::default()),
        },
        ErasureTarget::Subscription(id) => match names::subscription_of(db, space, *id)? {
            Some(key) => history(db, key, *id, end, now, limit),
            None => Ok(Erased::default()),
        },
        ErasureTarget::Event(None) | ErasureTarget::Value { .. } | ErasureTarget::Space => Ok(Erased::default()),
    }
}

fn delivery(db: &Writing<'_>, key: i64, now: Timestamp) -> Result<Erased, StoreError> {
    if !release(db, key, None, now)? {
        return Ok(Erased { in_flight: true, ..Erased::default() });
    }
    forget::delete(db, key)?;
    Ok(Erased { deliveries: 1, ..Erased::default() })
}

/// Erases the deliveries of a subscription, and then what was counted of them.
fn history(
    db: &Writing<'_>,
    key: i64,
    id: SubscriptionId,
    end: i64,
    now: Timestamp,
    limit: usize,
) -> Result<Erased, StoreError> {
    let (mut erased, mut left) = (Erased::default(), limit);
    for kind in keys::types(db, &keys::DELIVERIES_OF_SUBSCRIPTION, key)? {
        let mut select = db.prepare_cached(OF_SUBSCRIPTION)?;
        let rows = select.query_map([key, kind, end, count(left)], |row| row.get(0))?;
        for delivery in rows.collect::<rusqlite::Result<Vec<i64>>>()? {
            if left == 0 {
                break;
            }
            if release(db, delivery, None, now)? {
                left = left.saturating_sub(1 + forget::delete(db, delivery)?);
                erased.deliveries += 1;
            } else {
                left -= 1;
                erased.in_flight = true;
            }
        }
        if left == 0 {
            return Ok(Erased { more: true, ..erased });
        }
    }
    if !erased.in_flight {
        db.prepare_cached("DELETE FROM counts WHERE scope = ?1")?.execute([key])?;
        db.prepare_cached("DELETE FROM failure_groups WHERE subscription = ?1")?.execute([id.to_string()])?;
    }
    Ok(erased)
}

/// Takes a delivery out of whatever would send or report it. False if a worker is sending it now. If it is a batch that waits,
/// its events other than `event` are sent in another; without `event`, none is.
fn release(db: &Writing<'_>, key: i64, event: Option<i64>, now: Timestamp) -> Result<bool, StoreError> {
    if db.lease(key).is_some_and(|lease| lease.until > micros(now)) {
        return Ok(false);
    }
    db.set_lease(key, None);
    let row = db.prepare_cached(WAITING)?.query_row([key], |row| {
        Ok((row.value::<String>("state")?, row.value::<Option<[u8; 32]>>("pinned")?, row.value::<i64>("batched")?))
    });
    match row.optional()? {
        Some((state, pinned, batched)) => {
            if let Some(event) = event.filter(|_| batched > 0) {
                recreate_batch(db, key, event)?;
            }
            queues::remove(db, key)?;
            db.removed(DeliveryState::from_name(&state).unwrap_or(DeliveryState::Pending));
            if let Some(pinned) = pinned {
                db.prepare_cached(pinned::DROP_IF_UNUSED)?.execute([pinned])?;
            }
        }
        None if db.prepare_cached(IS_FINAL)?.query_row([key], |row| row.get(0))? => {}
        None => db.removed(DeliveryState::Pending),
    }
    forget_reports(db, key)?;
    Ok(true)
}

/// Deletes the reason of a delivery from notices that are still to be sent, and its event's differences from a shadow.
fn forget_reports(db: &Connection, key: i64) -> Result<(), StoreError> {
    let mut select = db.prepare_cached(OF_DELIVERY)?;
    let found = select.query_row([key], |row| {
        let id = ids::of_delivery(key, row.value("id")?, row.time("accepted_at")?);
        Ok((id.to_string(), row.value::<String>("subscription_id")?, row.value::<i64>("event")?))
    });
    let Some((id, subscription, event)) = found.optional()? else { return Ok(()) };
    db.prepare_cached(FORGET_REASON)?.execute([&subscription, &id])?;
    db.prepare_cached(FORGET_NOTICE)?.execute([&id])?;
    let tally = db.prepare_cached(SHADOW)?.query_row([&subscription], |row| row.json::<Tally>("tally")).optional()?;
    if let Some(mut tally) = tally.filter(|tally| !tally.differences.is_empty()) {
        let event: EventId =
            db.prepare_cached(events::HEAD_BY_KEY)?.query_row([event], |row| Ok(events::read_head(row, event)?.id))?;
        tally.differences.retain(|difference| difference.event_id != event);
        db.prepare_cached(PUT_SHADOW)?.execute((&subscription, json(&tally)))?;
    }
    Ok(())
}

pub(super) const OTHERS: &str = "
    SELECT event, 0 AS position FROM deliveries WHERE key = ?1 AND event <> ?2
    UNION ALL SELECT event, position FROM batched_events WHERE delivery = ?1 AND event <> ?2 ORDER BY position";

const COPY_DELIVERY: &str = "
    INSERT INTO deliveries (key, space, subscription, type, event, due_at, test, batch)
    SELECT ?1, space, subscription, type, ?3, due_at, test, batch FROM deliveries WHERE key = ?2";

pub(super) const COPY_WAITING: &str = "
    INSERT INTO waiting (delivery, space, subscription, state, due_at, attempts, batched)
    SELECT ?1, space, subscription, state, due_at, 0, ?3 FROM waiting WHERE delivery = ?2
    RETURNING space, subscription, state";

const LINK: &str = "INSERT INTO later_deliveries (event, delivery) VALUES (?1, ?2)";

const JOIN: &str = "INSERT INTO batched_events (delivery, position, event) VALUES (?1, ?2, ?3)";

/// The batch accepts no more events: its positions have changed.
pub(super) const CLOSE: &str = "
    DELETE FROM open_batches WHERE delivery = ?1 AND subscription = (SELECT subscription FROM deliveries WHERE key = ?1)
        AND type = (SELECT type FROM deliveries WHERE key = ?1)";

/// Creates another batch of a waiting batch's events other than one.
fn recreate_batch(db: &Writing<'_>, key: i64, without: i64) -> Result<(), StoreError> {
    let others: Vec<i64> = {
        let mut select = db.prepare_cached(OTHERS)?;
        select.query_map([key, without], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    let Some(first) = others.first() else { return Ok(()) };
    let new = db.take_keys(1);
    // Listings look for a delivery at the time of its event.
    let accepted_at = db.prepare_cached(events::HEAD_BY_KEY)?.query_row([first], |row| row.time("accepted_at"))?;
    db.gave_keys(accepted_at, new, new + 1);
    db.prepare_cached(CLOSE)?.execute([key])?;
    db.prepare_cached(COPY_DELIVERY)?.execute([new, key, *first])?;
    let of = db.prepare_cached(COPY_WAITING)?.query_row([new, key, count(others.len() - 1)], |row| {
        Ok((Of { space: row.value("space")?, subscription: row.value("subscription")? }, row.variant("state")?))
    });
    let (of, state) = of?;
    db.queued(of, Queued::of(state, false, 1));
    for (position, event) in others.iter().enumerate() {
        db.prepare_cached(LINK)?.execute([*event, new])?;
        values::link(db, *event, new)?;
        if position > 0 {
            db.prepare_cached(JOIN)?.execute([new, count(position), *event])?;
        }
    }
    db.created(DeliveryState::Pending, 1);
    Ok(())
}

/// Events of a space that an erasure will erase.
#[derive(Debug, Default)]
pub(super) struct FoundEvents {
    pub(super) events: Vec<i64>,
    /// How many were looked at, and the last of them.
    pub(super) searched: u64,
    pub(super) last: Option<i64>,
}

/// Bytes of data that are searched in one step: some milliseconds of reading.
const SEARCH_BYTES_MAX: usize = 4 << 20;

const DATA: &str = "SELECT data, previous FROM events WHERE key = ?1";

/// Looks for events of a space after one of them that hold the target's value; for the space as a target, takes all.
pub(super) fn find(
    db: &Connection,
    space: &SpaceId,
    target: &ErasureTarget,
    (after, end): (i64, i64),
    limit: usize,
) -> Result<FoundEvents, StoreError> {
    let mut found = FoundEvents::default();
    let Some(space) = names::space(db, space)? else { return Ok(found) };
    let mut bytes = 0;
    for key in forget::oldest(db, space, after + 1, None, limit)?.into_iter().take_while(|key| *key < end) {
        let wanted = *target == ErasureTarget::Space
            || db.prepare_cached(DATA)?.query_row([key], |row| {
                let (data, previous): (String, Option<String>) = (row.value("data")?, row.value("previous")?);
                bytes += data.len() + previous.as_ref().map_or(0, String::len);
                Ok(target.is_in(&data) || previous.is_some_and(|previous| target.is_in(&previous)))
            })?;
        found.events.extend(wanted.then_some(key));
        found.searched += 1;
        found.last = Some(key);
        if bytes > SEARCH_BYTES_MAX {
            break;
        }
    }
    Ok(found)
}

pub(super) const SUBSCRIPTIONS: &str =
    "SELECT key, id FROM subscriptions INDEXED BY subscriptions_by_space WHERE space = ?1 LIMIT ?2";

/// The rows that belong to a subscription, by its id and by its key.
const OF_ID: [&str; 4] = [
    "DELETE FROM failure_groups WHERE subscription = ?1",
    "DELETE FROM notices WHERE subscription = ?1",
    "DELETE FROM shadows WHERE subscription = ?1",
    "DELETE FROM subscriptions WHERE id = ?1",
];
const OF_KEY: [&str; 4] = [
    "DELETE FROM replays WHERE subscription = ?1",
    "DELETE FROM subscription_activity WHERE subscription = ?1",
    "DELETE FROM open_batches WHERE subscription = ?1",
    "DELETE FROM counts WHERE scope = ?1",
];

/// The rows that belong to a space, by its id and by its key.
const OF_SPACE_ID: [&str; 3] = [
    "DELETE FROM keys WHERE space = ?1",
    "DELETE FROM event_types WHERE space = ?1",
    "DELETE FROM plugins WHERE space = ?1",
];
const OF_SPACE_KEY: [&str; 4] = [
    "DELETE FROM value_paths WHERE space = ?1",
    "DELETE FROM counts WHERE scope = ?1",
    "DELETE FROM stored WHERE space = ?1",
    "DELETE FROM spaces WHERE key = ?1",
];

/// Erases what a space without events still has: its subscriptions, up to so many, and then all else.
pub(super) fn rest(db: &Writing<'_>, id: &SpaceId, limit: usize) -> Result<Erased, StoreError> {
    let Some(space) = names::space(db, id)? else { return Ok(Erased::default()) };
    let subscriptions: Vec<(i64, String)> = {
        let mut select = db.prepare_cached(SUBSCRIPTIONS)?;
        let rows = select.query_map(params![id.as_str(), count(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    for (key, id) in &subscriptions {
        OF_KEY.iter().try_for_each(|sql| db.prepare_cached(sql)?.execute([key]).map(drop))?;
        OF_ID.iter().try_for_each(|sql| db.prepare_cached(sql)?.execute([id]).map(drop))?;
    }
    // An event that was accepted in between.
    let more = !subscriptions.is_empty() || !forget::oldest(db, space, 0, None, 1)?.is_empty();
    if !more {
        let digests: Vec<Vec<u8>> = {
            let mut select = db.prepare_cached("SELECT digest FROM plugins WHERE space = ?1")?;
            select.query_map([id.as_str()], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
        };
        OF_SPACE_ID.iter().try_for_each(|sql| db.prepare_cached(sql)?.execute([id.as_str()]).map(drop))?;
        for digest in digests {
            db.prepare_cached(super::plugins::DELETE_COMPONENT)?.execute([digest])?;
        }
        OF_SPACE_KEY.iter().try_for_each(|sql| db.prepare_cached(sql)?.execute([space]).map(drop))?;
        db.forget_names();
    }
    Ok(Erased { more, ..Erased::default() })
}
