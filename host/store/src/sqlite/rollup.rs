//! Summing up old counts: those of minutes become those of hours, and those of hours go.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::super::StoreError;
use super::tallies::minute;
use super::writing::Writing;

pub(super) const NEXT_SCOPE: &str = "SELECT scope FROM counts WHERE scope > ?1 ORDER BY scope LIMIT 1";

/// Whether a scope has counts of minutes that are to be summed up, or counts that go.
pub(super) const IS_OLD: &str = "
    SELECT EXISTS (SELECT 1 FROM counts WHERE scope = ?1 AND minute < ?2 AND minute % 60 <> 0)
        OR EXISTS (SELECT 1 FROM counts WHERE scope = ?1 AND minute < ?3)";

pub(super) const SUM_UP: &str = "
    INSERT INTO counts (scope, minute, delivered, failed, skipped, cancelled, retried)
    SELECT scope, minute / 60 * 60, sum(delivered), sum(failed), sum(skipped), sum(cancelled), sum(retried) FROM counts
    WHERE scope = ?1 AND minute < ?2 AND minute % 60 <> 0 GROUP BY minute / 60
    ON CONFLICT (scope, minute) DO UPDATE SET
        delivered = delivered + excluded.delivered, failed = failed + excluded.failed,
        skipped = skipped + excluded.skipped, cancelled = cancelled + excluded.cancelled,
        retried = retried + excluded.retried";

pub(super) const DELETE_MINUTES: &str = "
    DELETE FROM counts WHERE scope = ?1 AND minute < ?2 AND minute % 60 <> 0";

pub(super) const DELETE_ALL: &str = "DELETE FROM counts WHERE scope = ?1 AND minute < ?2";

/// Two times before which counts are old.
#[derive(Clone, Copy, Debug)]
pub(super) struct Old {
    /// The minute before which minutes become hours: the first of an hour.
    minutes: i64,
    /// The minute before which all go.
    all: i64,
}

impl Old {
    pub(super) fn new(minutes_before: Timestamp, all_before: Timestamp) -> Self {
        Self { minutes: minute(minutes_before).div_euclid(60) * 60, all: minute(all_before) }
    }
}

/// Returns of so many scopes after one of them those with old counts, and the last that was looked at.
pub(super) fn find(db: &Connection, after: i64, old: Old, limit: usize) -> Result<(Vec<i64>, Option<i64>), StoreError> {
    let mut found = Vec::new();
    let mut last = after;
    for _ in 0..limit {
        let next = db.prepare_cached(NEXT_SCOPE)?.query_row([last], |row| row.get(0)).optional()?;
        let Some(scope) = next else { return Ok((found, None)) };
        last = scope;
        if db.prepare_cached(IS_OLD)?.query_row([scope, old.minutes, old.all], |row| row.get(0))? {
            found.push(scope);
        }
    }
    Ok((found, Some(last)))
}

/// Sums up and deletes the old counts of these scopes.
pub(super) fn sum_up(db: &Writing<'_>, scopes: &[i64], old: Old) -> Result<(), StoreError> {
    for scope in scopes {
        db.prepare_cached(SUM_UP)?.execute([*scope, old.minutes])?;
        db.prepare_cached(DELETE_MINUTES)?.execute([*scope, old.minutes])?;
        db.prepare_cached(DELETE_ALL)?.execute([*scope, old.all])?;
    }
    Ok(())
}
