//! Replays: reading what they examine, and writing what they send.
//!
//! A step reads a slice on a reader; the caller decides what of it is sent; the writer inserts that and moves the cursor in
//! one transaction. It looks every key up again, since rows may have been deleted in between.

use async_trait::async_trait;
use hookmill_model::{
    DeliveryState, Replay, ReplayId, ReplayState, ReplayWhat, SpaceId, SubscriptionId, SubscriptionState,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{ListPart, NewReplay, ReplayEntry, ReplaySlice, ReplayStep, ReplayStore, StoreError};
use super::deliveries::{self, Of};
use super::events::Events;
use super::row::{Columns as _, PART_BYTES_MAX, count, json, micros, name, part};
use super::writing::Writing;
use super::{Sqlite, accept, keys, names, values};

const PUT: &str = "
    INSERT INTO replays (
        key, space, subscription, what, state, since, until, rate, first_key, cursor, examined, deliveries, next_at, created_at,
        updated_at, event_types, condition
    ) VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, ?7, 0, 0, 0, 0, ?8, ?8, ?8, ?9, ?10)";

pub(super) const RUNNING_IN_SPACE: &str = "
    SELECT count(*) FROM replays INDEXED BY replays_running_in_space WHERE space = ?1 AND state = 'running'";

pub(super) const DROP_OLD: &str = "
    DELETE FROM replays WHERE key IN (
        SELECT key FROM replays INDEXED BY replays_of_subscription WHERE subscription = ?1 AND state <> 'running'
        ORDER BY key DESC LIMIT -1 OFFSET ?2)";

pub(super) const BY_KEY: &str = "
    SELECT replays.*, spaces.id AS space_id, subscriptions.id AS subscription_id
    FROM replays JOIN spaces ON spaces.key = replays.space JOIN subscriptions ON subscriptions.key = replays.subscription
    WHERE replays.key = ?1";

pub(super) const OF_SUBSCRIPTION: &str = "
    SELECT key FROM replays INDEXED BY replays_of_subscription WHERE subscription = ?1 AND key < ?2
    ORDER BY key DESC LIMIT ?3";

pub(super) const RUNNING: &str = "
    SELECT key FROM replays INDEXED BY replays_by_next_step WHERE state = 'running' ORDER BY next_at LIMIT ?1";

const BEGIN: &str = "
    UPDATE replays SET first_key = ?2, cursor = ?2, end_key = ?3, updated_at = ?4
    WHERE key = ?1 AND state = 'running' AND end_key IS NULL";

pub(super) const EVENTS: &str = "
    SELECT key FROM events INDEXED BY events_of_space
    WHERE space = ?1 AND type = ?2 AND key >= ?3 AND key < ?4 ORDER BY key LIMIT ?5";

pub(super) const FAILED: &str = "
    SELECT delivery FROM ended INDEXED BY ended_of_subscription
    WHERE subscription = ?1 AND state = 'failed' AND delivery >= ?2 AND delivery < ?3 ORDER BY delivery LIMIT ?4";

/// A test event has one delivery from the start.
pub(super) const EVENT: &str = "
    SELECT key AS event, accepted_at, EXISTS (
            SELECT 1 FROM deliveries WHERE deliveries.key = first_delivery AND event = events.key AND test = 1
        ) AS left_out
    FROM events WHERE key = ?1";

pub(super) const FAILED_DELIVERY: &str = "
    SELECT event, accepted_at, test = 1 OR completed_at > ?2 AS left_out
    FROM ended JOIN deliveries ON deliveries.key = delivery JOIN events ON events.key = event WHERE delivery = ?1";

pub(super) const BACKLOG: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM waiting INDEXED BY waiting_by_due_time
        WHERE state = 'pending' AND subscription = ?1 AND due_at <= ?2 LIMIT ?3)";

const AT: &str = "
    SELECT space, subscription, what FROM replays WHERE key = ?1 AND state = 'running' AND cursor = ?2 AND end_key >= ?3";

const EVENT_NOW: &str = "SELECT type, accepted_at FROM events WHERE key = ?1 AND space = ?2";

const LINK: &str = "INSERT INTO later_deliveries (event, delivery) VALUES (?1, ?2)";

const FAILED_NOW: &str = "SELECT attempts FROM ended WHERE delivery = ?1 AND subscription = ?2 AND state = 'failed'";

const STEP: &str = "
    UPDATE replays SET cursor = ?2, examined = examined + ?3, deliveries = deliveries + ?4,
        reached_at = coalesce(?5, reached_at), next_at = ?6, updated_at = ?7, reason = NULL,
        state = iif(?2 >= end_key, 'done', 'running')
    WHERE key = ?1";

const DELAY: &str = "
    UPDATE replays SET next_at = ?2, reason = ?3, updated_at = ?4 WHERE key = ?1 AND state = 'running'";

const END: &str = "UPDATE replays SET state = ?2, reason = ?3, updated_at = ?4 WHERE key = ?1 AND state = 'running'";

#[async_trait]
impl ReplayStore for Sqlite {
    async fn create_replay(
        &self,
        new: NewReplay,
        running_max: usize,
        ended_max: usize,
    ) -> Result<Option<Replay>, StoreError> {
        self.writer.write(move |db| create(db, &new, running_max, ended_max)).await
    }

    async fn replays(
        &self,
        space: &SpaceId,
        subscription: SubscriptionId,
        before: Option<ReplayId>,
        limit: usize,
    ) -> Result<ListPart<Replay, ReplayId>, StoreError> {
        let of = space.clone();
        self.readers.read_for(space, move |db| list(db, &of, subscription, before, limit)).await
    }

    async fn replay(
        &self,
        space: &SpaceId,
        subscription: SubscriptionId,
        id: ReplayId,
    ) -> Result<Option<Replay>, StoreError> {
        let of = space.clone();
        let found = self.readers.read_for(space, move |db| one(db, id)).await?;
        Ok(found.filter(|replay| replay.space == of && replay.subscription_id == subscription))
    }

    async fn running_replays(&self, limit: usize) -> Result<Vec<Replay>, StoreError> {
        self.own_readers.read(move |db| running(db, limit)).await
    }

    async fn begin_replay(&self, replay: &Replay, now: Timestamp) -> Result<Option<Replay>, StoreError> {
        let Replay { id, since, until, .. } = *replay;
        // On a reader: it looks at all minutes.
        let range = self.own_readers.read(move |db| keys::accepted(db, Some(since), Some(until))).await?;
        // Greater than every committed key.
        let next = self.shared.take_keys(1);
        let first = range.from.min(next);
        let end = range.before.min(next).max(first);
        self.writer
            .write(move |db| {
                let begun = db.prepare_cached(BEGIN)?.execute(params![id.key(), first, end, micros(now)])?;
                if begun == 0 { Ok(None) } else { one(db, id) }
            })
            .await
    }

    async fn replay_slice(
        &self,
        replay: &Replay,
        limit: usize,
        now: Timestamp,
        backlog_max: usize,
    ) -> Result<ReplaySlice, StoreError> {
        let of = replay.clone();
        self.readers.read_for(&replay.space, move |db| slice(db, &of, limit, now, backlog_max)).await
    }

    async fn step_replay(&self, replay_step: ReplayStep) -> Result<u64, StoreError> {
        self.writer.write(move |db| step(db, &replay_step)).await
    }

    async fn delay_replay(
        &self,
        id: ReplayId,
        until: Timestamp,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        self.writer
            .write(move |db| {
                db.prepare_cached(DELAY)?.execute(params![id.key(), micros(until), reason, micros(now)])?;
                Ok(())
            })
            .await
    }

    async fn end_replay(
        &self,
        id: ReplayId,
        state: ReplayState,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let reason = reason.map(str::to_owned);
        self.writer.write(move |db| end(db, id, state, reason.as_deref(), now)).await
    }
}

fn create(
    db: &Writing<'_>,
    new: &NewReplay,
    running_max: usize,
    ended_max: usize,
) -> Result<Option<Replay>, StoreError> {
    let (space, subscription) = (db.space(&new.space)?, db.subscription(new.subscription_id)?);
    let running: i64 = db.prepare_cached(RUNNING_IN_SPACE)?.query_row([space], |row| row.get(0))?;
    if running >= count(running_max) {
        return Ok(None);
    }
    db.prepare_cached(DROP_OLD)?.execute([subscription, count(ended_max)])?;
    let key = db.take_keys(1);
    db.prepare_cached(PUT)?.execute(params![
        key,
        space,
        subscription,
        name(&new.what),
        micros(new.since),
        micros(new.until),
        new.deliveries_per_s,
        micros(new.created_at),
        new.event_types.as_ref().map(json),
        new.condition,
    ])?;
    one(db, ReplayId::with_key(new.created_at, key))
}

fn one(db: &Connection, id: ReplayId) -> Result<Option<Replay>, StoreError> {
    let Some(key) = id.key() else { return Ok(None) };
    let found = db.prepare_cached(BY_KEY)?.query_row([key], read).optional()?;
    Ok(found.filter(|replay| replay.id == id))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Replay> {
    let created_at = row.time("created_at")?;
    Ok(Replay {
        id: ReplayId::with_key(created_at, row.value("key")?),
        space: row.text("space_id")?,
        subscription_id: row.text("subscription_id")?,
        what: row.variant("what")?,
        state: row.variant("state")?,
        since: row.time("since")?,
        until: row.time("until")?,
        event_types: row.json_if_any("event_types")?,
        condition: row.value("condition")?,
        deliveries_per_s: row.value("rate")?,
        first_key: row.value("first_key")?,
        cursor: row.value("cursor")?,
        end_key: row.value("end_key")?,
        examined: row.count("examined")?,
        deliveries: row.count("deliveries")?,
        reached_at: row.time_if_any("reached_at")?,
        next_at: row.time("next_at")?,
        created_at,
        updated_at: row.time("updated_at")?,
        reason: row.value("reason")?,
    })
}

fn list(
    db: &Connection,
    space: &SpaceId,
    subscription: SubscriptionId,
    before: Option<ReplayId>,
    limit: usize,
) -> Result<ListPart<Replay, ReplayId>, StoreError> {
    let Some(space) = names::space(db, space)? else { return Ok(ListPart::empty()) };
    let Some(subscription) = names::subscription_of(db, space, subscription)? else { return Ok(ListPart::empty()) };
    let before = before.map_or(i64::MAX, |id| id.key().unwrap_or(0));
    let mut select = db.prepare_cached(BY_KEY)?;
    let rows = all_keys(db, OF_SUBSCRIPTION, params![subscription, before, count(limit + 1)])?;
    let rows = rows.into_iter().map(|key| {
        select.query_row([key], |row| Ok((read(row)?, row.bytes("event_types")? + row.bytes("condition")?)))
    });
    part(rows, limit, |replay: &Replay| replay.id)
}

fn running(db: &Connection, limit: usize) -> Result<Vec<Replay>, StoreError> {
    let mut select = db.prepare_cached(BY_KEY)?;
    let keys = all_keys(db, RUNNING, [count(limit)])?;
    let found = keys.into_iter().filter_map(|key| select.query_row([key], read).optional().transpose());
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn all_keys(db: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<i64>, StoreError> {
    Ok(db.prepare_cached(sql)?.query_map(parameters, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

fn slice(
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

fn step(db: &Writing<'_>, step: &ReplayStep) -> Result<u64, StoreError> {
    let ReplayStep { id, from, to, examined, reached_at, send, next_at, now } = step;
    let mut at = db.prepare_cached(AT)?;
    let found = at.query_row(params![id.key(), from, to], |row| {
        Ok((Of { space: row.value("space")?, subscription: row.value("subscription")? }, row.variant("what")?))
    });
    let Some((of, what)) = found.optional()? else { return Ok(0) };
    if deleted(db, of)? {
        end(db, *id, ReplayState::Failed, Some("the subscription was deleted"), *now)?;
        return Ok(0);
    }
    let mut sent = 0;
    for (key, due_at) in send {
        sent += u64::from(match what {
            ReplayWhat::Events => deliver(db, of, *key, *due_at)?,
            ReplayWhat::Failed => send_again(db, of, *key, *due_at)?,
        });
    }
    db.prepare_cached(STEP)?.execute(params![
        id.key(),
        to,
        count(*examined),
        count(sent),
        reached_at.map(micros),
        micros(*next_at),
        micros(*now),
    ])?;
    Ok(sent)
}

/// Whether the subscription was deleted: deliveries made now would wait for nobody.
fn deleted(db: &Connection, of: Of) -> Result<bool, StoreError> {
    let mut select = db.prepare_cached("SELECT state FROM subscriptions WHERE key = ?1")?;
    let state = select.query_row([of.subscription], |row| row.variant::<SubscriptionState>("state")).optional()?;
    Ok(state.is_none_or(|state| state == SubscriptionState::Deleted))
}

/// Inserts a delivery of the event with this key; false if there is no such event.
fn deliver(
    db: &Writing<'_>,
    Of { space, subscription }: Of,
    event: i64,
    due_at: Timestamp,
) -> Result<bool, StoreError> {
    let mut select = db.prepare_cached(EVENT_NOW)?;
    let found = select.query_row([event, space], |row| Ok((row.value::<i64>("type")?, row.time("accepted_at")?)));
    let Some((kind, accepted_at)) = found.optional()? else { return Ok(false) };
    let key = db.take_keys(1);
    let due_at = micros(due_at);
    let none: Option<[u8; 16]> = None;
    db.prepare_cached(accept::INSERT_DELIVERY)?.execute(params![
        key,
        space,
        subscription,
        kind,
        event,
        due_at,
        false,
        false,
        none
    ])?;
    db.prepare_cached(LINK)?.execute([event, key])?;
    values::link(db, event, key)?;
    db.prepare_cached(accept::INSERT_WAITING)?.execute([key, space, subscription, due_at])?;
    db.created(DeliveryState::Pending, 1);
    db.gave_keys(accepted_at, key, key + 1);
    Ok(true)
}

/// Makes the failed delivery with this key pending; false if it is none any more.
fn send_again(db: &Writing<'_>, of: Of, key: i64, due_at: Timestamp) -> Result<bool, StoreError> {
    let mut select = db.prepare_cached(FAILED_NOW)?;
    let Some(attempts) = select.query_row([key, of.subscription], |row| row.get(0)).optional()? else {
        return Ok(false);
    };
    deliveries::resend(
        db,
        key,
        of,
        deliveries::Again { state: DeliveryState::Failed, attempts, due_at, verbatim: false },
    )?;
    Ok(true)
}

fn end(
    db: &Connection,
    id: ReplayId,
    state: ReplayState,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    db.prepare_cached(END)?.execute(params![id.key(), name(&state), reason, micros(now)])?;
    Ok(())
}
