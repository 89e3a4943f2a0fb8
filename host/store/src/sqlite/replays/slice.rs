//! Reading what a replay examines.

use hookmill_model::{Replay, ReplayWhat};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::super::{ReplayEntry, ReplaySlice, StoreError};
use super::super::events::Events;
use super::super::row::{Columns as _, PART_BYTES_MAX, count, micros};
use super::super::{keys, names};
use super::all_keys;

pub(in super::super) const EVENTS: &str = "
    SELECT key FROM events INDEXED BY events_of_space
    WHERE space = ?1 AND type = ?2 AND key >= ?3 AND key < ?4 ORDER BY key LIMIT ?5";

pub(in super::super) const FAILED: &str = "
    SELECT delivery FROM ended INDEXED BY ended_of_subscription
    WHERE subscription = ?1 AND state = 'failed' AND delivery >= ?2 AND delivery < ?3 ORDER BY delivery LIMIT ?4";

/// A test event has one delivery from the start.
pub(in super::super) const EVENT: &str = "
    SELECT key AS event, accepted_at, EXISTS (
            SELECT 1 FROM deliveries WHERE deliveries.key = first_delivery AND event = events.key AND test = 1
        ) AS left_out
    FROM events WHERE key = ?1";

/// Whether a subscription has a delivery of an event.
pub(in super::super) const HAS: &str = "
    SELECT 1 FROM events AS e WHERE key = ?1 AND (
        EXISTS (
            SELECT 1 FROM deliveries NOT INDEXED
            WHERE key >= e.first_delivery AND key < e.first_delivery + e.deliveries AND event = e.key AND subscription = ?2)
        OR EXISTS (
            SELECT 1 FROM later_deliveries AS l JOIN deliveries AS d ON d.key = l.delivery
            WHERE l.event = e.key AND d.subscription = ?2))";

pub(in super::super) const FAILED_DELIVERY: &str = "
    SELECT event, accepted_at, test = 1 OR completed_at > ?2 AS left_out
    FROM ended JOIN deliveries ON deliveries.key = delivery JOIN events ON events.key = event WHERE delivery = ?1";

pub(in super::super) const BACKLOG: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM waiting INDEXED BY waiting_by_due_time
        WHERE state = 'pending' AND subscription = ?1 AND due_at <= ?2 LIMIT ?3)";

/// See [`ReplayStore::replay_slice`](super::super::super::ReplayStore::replay_slice).
pub(super) fn slice(
    db: &Connection,
    replay: &Replay,
    limit: usize,
    now: Timestamp,
    backlog_max: usize,
) -> Result<ReplaySlice, StoreError> {
    let end = replay.end_key.unwrap_or(replay.cursor);
    let mut slice = ReplaySlice { entries: Vec::new(), next: end, backlog: 0 };
    let Some(space) = names::space(db, &replay.space)? else { return Ok(slice) };
    let Some(subscription) = names::subscription_of(db, space, replay.subscription_id)? else { return Ok(slice) };
    let mut backlog = db.prepare_cached(BACKLOG)?;
    let due: u32 = backlog.query_row(params![subscription, micros(now), count(backlog_max)], |row| row.get(0))?;
    slice.backlog = due as usize;
    let found = match replay.what {
        ReplayWhat::Events => oldest_events(db, replay, space, end, limit)?,
        ReplayWhat::Failed => all_keys(db, FAILED, params![subscription, replay.cursor, end, count(limit)])?,
    };
    if found.len() == limit {
        slice.next = found.last().map_or(end, |last| last + 1);
    }
    let (mut events, mut held) = (Events::default(), 0);
    for key in found {
        if held > PART_BYTES_MAX {
            slice.next = key;
            break;
        }
        let Some(event) = candidate(db, replay, key)? else { continue };
        if replay.only_missing && has(db, event, subscription)? {
            continue;
        }
        let event = events.get(db, event)?;
        held += event.data.get().len() + event.previous.as_ref().map_or(0, |previous| previous.get().len());
        slice.entries.push(ReplayEntry { key, event });
    }
    Ok(slice)
}

/// Returns the oldest keys of the space's events that a replay has to examine, merged from the ranges of its types.
fn oldest_events(db: &Connection, replay: &Replay, space: i64, end: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
    let kinds = keys::types_where(db, &keys::EVENTS_OF_SPACE, space, |kind| {
        replay.event_types.as_ref().is_none_or(|types| types.iter().any(|pattern| pattern.matches(kind)))
    })?;
    let mut found = Vec::new();
    for kind in kinds {
        found.extend(all_keys(db, EVENTS, params![space, kind, replay.cursor, end, count(limit)])?);
    }
    found.sort_unstable();
    found.truncate(limit);
    Ok(found)
}

/// Whether the subscription with this key has a delivery of the event with that key.
pub(super) fn has(db: &Connection, event: i64, subscription: i64) -> Result<bool, StoreError> {
    Ok(db.prepare_cached(HAS)?.exists([event, subscription])?)
}

/// Returns the key of the event of what a replay examines; none if the replay leaves it out.
fn candidate(db: &Connection, replay: &Replay, key: i64) -> Result<Option<i64>, StoreError> {
    let read = |row: &Row<'_>| {
        let accepted_at = row.time("accepted_at")?;
        let wanted = !row.value::<bool>("left_out")? && replay.since <= accepted_at && accepted_at < replay.until;
        Ok(if wanted { Some(row.value("event")?) } else { None })
    };
    let found = match replay.what {
        ReplayWhat::Events => db.prepare_cached(EVENT)?.query_row([key], read),
        ReplayWhat::Failed => db.prepare_cached(FAILED_DELIVERY)?.query_row([key, micros(replay.created_at)], read),
    };
    Ok(found.optional()?.flatten())
}
