//! Erasures: their rows, and their steps.

use hookmill_model::{Erasure, ErasureId, ErasureTarget, SpaceId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{ErasureStep, StoreError};
use super::erase::{self, FoundEvents};
use super::row::{Columns as _, count, json, micros};
use super::writing::Writing;
use super::{ids, names};

const INSERT: &str = "
    INSERT INTO erasures (key, space, created_at, target, state, end_key) VALUES (?1, ?2, ?3, ?4, 'erasing', ?1)";

pub(super) const ONE: &str = "SELECT * FROM erasures WHERE key = ?1";

pub(super) const OF_SPACE: &str = "
    SELECT * FROM erasures INDEXED BY erasures_of_space WHERE space = ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3";

pub(super) const UNFINISHED: &str = "
    SELECT * FROM erasures INDEXED BY erasures_unfinished WHERE state <> 'done' ORDER BY key";

const STEP: &str = "
    UPDATE erasures SET searched = searched + ?2, events = events + ?3, deliveries = deliveries + ?4, done_key = ?5
    WHERE key = ?1";

const ERASED: &str = "UPDATE erasures SET state = 'cleaning', target = ?2 WHERE key = ?1";

const FINISH: &str = "UPDATE erasures SET state = 'done', finished_at = ?2 WHERE key = ?1 AND state = 'cleaning'";

/// See [`ForgetStore::begin_erasure`](super::super::ForgetStore::begin_erasure).
pub(super) fn begin(
    db: &Writing<'_>,
    id: &SpaceId,
    target: &ErasureTarget,
    now: Timestamp,
) -> Result<Option<Erasure>, StoreError> {
    let Some(space) = names::space(db, id)? else { return Ok(None) };
    let exists = match target {
        ErasureTarget::Event(Some(id)) => ids::event(db, space, id)?.is_some(),
        ErasureTarget::Delivery(delivery) => super::deliveries::head(db, id, *delivery)?.is_some(),
        ErasureTarget::Subscription(id) => names::subscription_of(db, space, *id)?.is_some(),
        ErasureTarget::Value { .. } => true,
        ErasureTarget::Space => {
            db.prepare_cached("DELETE FROM keys WHERE space = ?1")?.execute([id.as_str()])?;
            db.prepare_cached("UPDATE spaces SET erased = 1 WHERE key = ?1 AND erased = 0")?.execute([space])? > 0
        }
        ErasureTarget::Event(None) => false,
    };
    if !exists {
        return Ok(None);
    }
    let key = db.take_keys(1);
    db.prepare_cached(INSERT)?.execute(params![key, id.as_str(), micros(now), json(target)])?;
    Ok(Some(db.prepare_cached(ONE)?.query_row([key], read)?))
}

/// See [`ForgetStore::erasure`](super::super::ForgetStore::erasure).
pub(super) fn one(db: &Connection, id: ErasureId) -> Result<Option<Erasure>, StoreError> {
    let Some(key) = id.key() else { return Ok(None) };
    let found = db.prepare_cached(ONE)?.query_row([key], read).optional()?;
    Ok(found.filter(|erasure| erasure.id == id))
}

/// See [`ForgetStore::erasures`](super::super::ForgetStore::erasures).
pub(super) fn list(
    db: &Connection,
    space: &SpaceId,
    before: Option<ErasureId>,
    limit: usize,
) -> Result<Vec<Erasure>, StoreError> {
    let before = before.map_or(i64::MAX, |id| id.key().unwrap_or(0));
    let mut select = db.prepare_cached(OF_SPACE)?;
    let rows = select.query_map(params![space.as_str(), before, count(limit)], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// See [`ForgetStore::unfinished_erasures`](super::super::ForgetStore::unfinished_erasures).
pub(super) fn unfinished(db: &Connection) -> Result<Vec<Erasure>, StoreError> {
    let mut select = db.prepare_cached(UNFINISHED)?;
    Ok(select.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Erasure> {
    let created_at = row.time("created_at")?;
    Ok(Erasure {
        id: ErasureId::with_key(created_at, row.value("key")?),
        space: row.text("space")?,
        target: row.json("target")?,
        state: row.variant("state")?,
        searched: row.count("searched")?,
        events: row.count("events")?,
        deliveries: row.count("deliveries")?,
        created_at,
        finished_at: row.time_if_any("finished_at")?,
    })
}

/// Returns the last key that was searched, and the key before which all that is erased was accepted.
pub(super) fn range(db: &Connection, erasure: &Erasure) -> Result<(i64, i64), StoreError> {
    let mut select = db.prepare_cached("SELECT done_key, end_key FROM erasures WHERE key = ?1")?;
    let (done, end) = select.query_row([erasure.id.key()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // Of a space everything goes.
    Ok(if erasure.target == ErasureTarget::Space { (0, i64::MAX) } else { (done, end) })
}

/// Erases up to so many rows: of what was found, for values and spaces.
pub(super) fn step(
    db: &Writing<'_>,
    erasure: &Erasure,
    found: &FoundEvents,
    now: Timestamp,
    limit: usize,
) -> Result<ErasureStep, StoreError> {
    let (mut done, end) = range(db, erasure)?;
    let mut searched = 0;
    let (erased, finished) = match &erasure.target {
        ErasureTarget::Value { .. } | ErasureTarget::Space => {
            let (mut erased, gone) = erase::all(db, &found.events, now, limit)?;
            // What was not searched to its end is searched again, without what is gone.
            searched = gone as u64;
            if let Some(last) = found.last.filter(|_| gone == found.events.len()) {
                (done, searched) = (last, found.searched);
            }
            let mut finished = found.last.is_none();
            if finished && erasure.target == ErasureTarget::Space {
                erased.more = erase::rest(db, &erasure.space, limit)?.more;
                finished = !erased.more;
            }
            (erased, finished)
        }
        _ => {
            let erased = erase::named(db, erasure, end, now, limit)?;
            (erased, !erased.more && !erased.in_flight)
        }
    };
    let key = erasure.id.key();
    db.prepare_cached(STEP)?.execute(params![
        key,
        count(usize::try_from(searched).unwrap_or(usize::MAX)),
        count(erased.events),
        count(erased.deliveries),
        done,
    ])?;
    if finished {
        db.prepare_cached(ERASED)?.execute(params![key, json(&erasure.target.clone().erased())])?;
        return Ok(ErasureStep::Erased);
    }
    Ok(if erased.in_flight && !erased.more { ErasureStep::InFlight } else { ErasureStep::More })
}

/// See [`ForgetStore::finish_erasure`](super::super::ForgetStore::finish_erasure).
pub(super) fn finish(db: &Connection, id: ErasureId, now: Timestamp) -> Result<(), StoreError> {
    db.prepare_cached(FINISH)?.execute(params![id.key(), micros(now)])?;
    Ok(())
}
