//! Replays: reading what they examine, and writing what they send.
//!
//! A step reads a slice on a reader; the caller decides what of it is sent; the writer inserts that and moves the cursor in
//! one transaction. It looks every key up again, since rows may have been deleted in between.

mod slice;
mod step;

use async_trait::async_trait;
use hookmill_model::{Replay, ReplayId, ReplayState, SpaceId, SubscriptionId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{ListPart, NewReplay, ReplaySlice, ReplayStep, ReplayStore, StoreError};
use super::row::{Columns as _, count, json, micros, name, part};
use super::writing::Writing;
use super::{Sqlite, keys, names};
#[cfg(test)]
pub(super) use slice::{BACKLOG, EVENT, EVENTS, FAILED, FAILED_DELIVERY, HAS};

const PUT: &str = "
    INSERT INTO replays (
        key, space, subscription, what, state, since, until, rate, first_key, cursor, examined, deliveries, next_at, created_at,
        updated_at, event_types, condition, only_missing
    ) VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, ?7, 0, 0, 0, 0, ?8, ?8, ?8, ?9, ?10, ?11)";

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
        self.readers.read_for(&replay.space, move |db| slice::slice(db, &of, limit, now, backlog_max)).await
    }

    async fn step_replay(&self, step: ReplayStep) -> Result<u64, StoreError> {
        self.writer.write(move |db| step::step(db, &step)).await
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
        new.only_missing,
    ])?;
    one(db, ReplayId::with_key(new.created_at, key))
}

/// Returns a replay of any space, if it exists.
pub(super) fn one(db: &Connection, id: ReplayId) -> Result<Option<Replay>, StoreError> {
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
        only_missing: row.value("only_missing")?,
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
