//! Deleting what is older than its retention: deliveries with their attempts, and events without deliveries.
//!
//! The oldest are looked for by a reader, and deleted by the writer a few hundred rows at a time, each after it has been looked
//! at again. Nothing is remembered: the next run starts with the oldest that is left.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hookmill_model::SubscriptionId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Expired, Forgotten, Place, StoreError};
use super::row::{Columns as _, count, micros};
use super::writing::Writing;
use super::{attempts, keys, names};

/// The condition that a delivery `d` ended before a time. What is being sent has no attempt, and what was resent waits: neither
/// is old.
macro_rules! ended_before {
    ($time:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM waiting WHERE delivery = d.key)
            AND coalesce(
                (SELECT completed_at FROM ended WHERE delivery = d.key),
                (SELECT recorded_at FROM attempts
                    WHERE key > d.key * 65536 AND key < (d.key + 1) * 65536 ORDER BY key DESC LIMIT 1)
            ) < ",
            $time
        )
    };
}

/// Of one type, in order of acceptance.
pub(super) const OLD: &str = concat!(
    "SELECT key FROM deliveries AS d INDEXED BY deliveries_of_subscription
    WHERE subscription = ?1 AND type = ?2 AND key < ?3 AND ",
    ended_before!("?4"),
    " ORDER BY key LIMIT ?5"
);

/// The same of one delivery.
pub(super) const IS_OLD: &str = concat!("SELECT 1 FROM deliveries AS d WHERE key = ?1 AND ", ended_before!("?2"));

/// The oldest event of a type.
pub(super) const OLDEST: &str = "
    SELECT key FROM events INDEXED BY events_of_space
    WHERE space = ?1 AND type = ?2 AND key >= ?3 AND key < ?4 ORDER BY key LIMIT 1";

/// The bytes of the large columns of an attempt; see the schema's header.
macro_rules! attempt_bytes {
    () => {
        "coalesce(octet_length(request_headers), 0) + coalesce(octet_length(request_body), 0)
        + coalesce(octet_length(answer_headers), 0) + coalesce(octet_length(answer_body), 0)
        + coalesce(octet_length(logs), 0)"
    };
}

pub(super) const DELETE_ATTEMPTS: &str =
    concat!("DELETE FROM attempts WHERE key > ?1 AND key < ?2 RETURNING ", attempt_bytes!());

pub(super) const DELETE_EVENT: &str = "
    DELETE FROM events WHERE key = ?1 RETURNING octet_length(data) + coalesce(octet_length(previous), 0)";

pub(super) const DELETE_VALUES: &str = "DELETE FROM event_values WHERE event = ?1";

/// What else there may be of a delivery, in this order.
pub(super) const DELETE: [&str; 5] = [
    "DELETE FROM event_values WHERE delivery = ?1 AND part = 2 AND event IN (
        SELECT event FROM batched_events WHERE delivery = ?1 UNION ALL SELECT event FROM deliveries WHERE key = ?1)",
    "DELETE FROM later_deliveries WHERE delivery = ?1 AND event IN (
        SELECT event FROM batched_events WHERE delivery = ?1 UNION ALL SELECT event FROM deliveries WHERE key = ?1)",
    "DELETE FROM batched_events WHERE delivery = ?1",
    "DELETE FROM ended WHERE delivery = ?1",
    "DELETE FROM deliveries WHERE key = ?1",
];

pub(super) const EVENT: &str = "SELECT space, first_delivery, deliveries FROM events WHERE key = ?1";

/// An event's deliveries, oldest first.
pub(super) const OF_EVENT: &str = "
    SELECT key FROM deliveries WHERE key > ?1 AND key < ?2 AND event = ?3 ORDER BY key LIMIT ?4";

pub(super) const LATER_OF_EVENT: &str = "
    SELECT delivery FROM later_deliveries WHERE event = ?1 AND delivery > ?2 ORDER BY delivery LIMIT ?3";

/// Returns the keys of a subscription's oldest deliveries that ended before a time.
pub(super) fn old(
    db: &Connection,
    subscription: SubscriptionId,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let mut old = Vec::new();
    let Some(subscription) = names::subscription(db, subscription)? else { return Ok(old) };
    // An event was accepted no later than its delivery ended.
    let end = keys::accepted(db, None, Some(before))?.before;
    for kind in keys::types(db, &keys::DELIVERIES_OF_SUBSCRIPTION, subscription)? {
        let mut select = db.prepare_cached(OLD)?;
        let rows = count(limit - old.len());
        for key in select.query_map([subscription, kind, end, micros(before), rows], |row| row.get(0))? {
            old.push(key?);
        }
    }
    Ok(old)
}

/// Deletes of these deliveries those that ended before a time, with their attempts; returns how many.
pub(super) fn forget(db: &Writing<'_>, old: &[i64], before: Timestamp) -> Result<usize, StoreError> {
    let mut deleted = 0;
    for key in old {
        if db.prepare_cached(IS_OLD)?.exists([*key, micros(before)])? {
            delete(db, *key)?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// Returns the keys of a space's oldest events from one on, oldest first, of those accepted before a time.
pub(super) fn oldest(
    db: &Connection,
    space: i64,
    from: i64,
    before: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let end = keys::accepted(db, None, before)?.before;
    let mut first = db.prepare_cached(OLDEST)?;
    let mut next = |kind, from| first.query_row([space, kind, from, end], |row| row.get::<_, i64>(0)).optional();
    let mut heap = BinaryHeap::new();
    for kind in keys::types(db, &keys::EVENTS_OF_SPACE, space)? {
        heap.extend(next(kind, from)?.map(|key| Reverse((key, kind))));
    }
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(Reverse((key, kind))) = heap.pop()
    {
        found.push(key);
        heap.extend(next(kind, key + 1)?.map(|key| Reverse((key, kind))));
    }
    Ok(found)
}

/// Deletes of these events the deliveries that have expired, and those events that have none left: together as many rows as
/// `limit`, about. Returns where to go on, which is after the events if all were looked at.
pub(super) fn forget_events(
    db: &Writing<'_>,
    events: &[i64],
    from: Place,
    expired: Expired,
    limit: usize,
) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let mut left = limit;
    let mut bytes = None;
    for key in events {
        let place = if *key == from.event { from } else { Place { event: *key, ..Place::default() } };
        let Some(event) = event(db, *key)? else { continue };
        let begin = *bytes.get_or_insert_with(|| db.stored_so_far(event.space));
        let freed = u64::try_from(begin - db.stored_so_far(event.space)).unwrap_or(0);
        if expired.bytes.is_some_and(|bytes| freed >= bytes) {
            return Ok(Forgotten { next: Some(place), ..forgotten });
        }
        let next = walk(db, *key, event, place, &mut left, |db, delivery| {
            let old = db.prepare_cached(IS_OLD)?.exists([delivery, micros(expired.ended_before)])?;
            Ok(old.then(|| forgotten.deliveries += 1).is_some())
        })?;
        if next.is_some() {
            return Ok(Forgotten { next, ..forgotten });
        }
        if !has_deliveries(db, *key, event)? {
            delete_event(db, *key)?;
            forgotten.events += 1;
        }
        left = left.saturating_sub(1);
    }
    let next = events.last().map(|last| Place { event: last + 1, ..Place::default() });
    Ok(Forgotten { next, ..forgotten })
}

/// What finding an event's deliveries needs.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) space: i64,
    first_delivery: i64,
    deliveries: i64,
}

/// Returns the event with this key, if it is still there.
pub(super) fn event(db: &Connection, key: i64) -> Result<Option<Found>, StoreError> {
    let mut select = db.prepare_cached(EVENT)?;
    let found = select.query_row([key], |row| {
        let (space, first_delivery, deliveries) =
            (row.value("space")?, row.value("first_delivery")?, row.value("deliveries")?);
        Ok(Found { space, first_delivery, deliveries })
    });
    Ok(found.optional()?)
}

/// Goes through an event's deliveries from a place on, and deletes those that may go, with their attempts. Returns the place
/// at which `left`, the rows that a step may have, is used up.
pub(super) fn walk(
    db: &Writing<'_>,
    key: i64,
    event: Found,
    from: Place,
    left: &mut usize,
    mut may_go: impl FnMut(&Writing<'_>, i64) -> Result<bool, StoreError>,
) -> Result<Option<Place>, StoreError> {
    for later in [false, true] {
        if from.later && !later {
            continue;
        }
        let start = if from.later == later { from.delivery } else { 0 };
        let rows: Vec<i64> = {
            let read = |row: &rusqlite::Row<'_>| row.get(0);
            // One more, so that it is known whether there are more.
            let limit = count(*left + 1);
            if later {
                let mut select = db.prepare_cached(LATER_OF_EVENT)?;
                select.query_map([key, start, limit], read)?.collect::<rusqlite::Result<_>>()?
            } else {
                let start = start.max(event.first_delivery - 1);
                let end = event.first_delivery + event.deliveries;
                let mut select = db.prepare_cached(OF_EVENT)?;
                select.query_map([start, end, key, limit], read)?.collect::<rusqlite::Result<_>>()?
            }
        };
        let mut last = start;
        for delivery in rows {
            if *left == 0 {
                return Ok(Some(Place { event: key, later, delivery: last }));
            }
            last = delivery;
            let attempts = if may_go(db, delivery)? { delete(db, delivery)? } else { 0 };
            *left = left.saturating_sub(1 + attempts);
        }
    }
    Ok(None)
}

/// Whether an event has deliveries.
pub(super) fn has_deliveries(db: &Connection, key: i64, event: Found) -> Result<bool, StoreError> {
    let (start, end) = (event.first_delivery - 1, event.first_delivery + event.deliveries);
    Ok(db.prepare_cached(OF_EVENT)?.exists([start, end, key, 1])?
        || db.prepare_cached(LATER_OF_EVENT)?.exists(params![key, i64::MIN, 1])?)
}

/// Deletes the event with this key, which has no deliveries.
pub(super) fn delete_event(db: &Writing<'_>, key: i64) -> Result<(), StoreError> {
    let Some(Found { space, .. }) = event(db, key)? else { return Ok(()) };
    let bytes: Option<i64> = db.prepare_cached(DELETE_EVENT)?.query_row([key], |row| row.get(0)).optional()?;
    db.prepare_cached(DELETE_VALUES)?.execute([key])?;
    db.stored(space, -bytes.unwrap_or(0));
    Ok(())
}

const SPACE_OF: &str = "SELECT space FROM deliveries WHERE key = ?1";

/// Deletes the final delivery with this key, with its attempts; returns how many those were.
pub(super) fn delete(db: &Writing<'_>, key: i64) -> Result<usize, StoreError> {
    let Some(space) = db.prepare_cached(SPACE_OF)?.query_row([key], |row| row.get(0)).optional()? else { return Ok(0) };
    let mut deleted = db.prepare_cached(DELETE_ATTEMPTS)?;
    let sizes = deleted.query_map(attempts::range(key), |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    db.stored(space, -sizes.iter().sum::<i64>());
    for sql in DELETE {
        db.prepare_cached(sql)?.execute([key])?;
    }
    Ok(sizes.len())
}
