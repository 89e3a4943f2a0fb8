//! What a transaction adds up in memory and writes once at its end: counts per minute, and the keys of each minute.

use std::collections::HashMap;
use std::ops::Range;

use hookmill_model::{SpaceId, SubscriptionId};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::super::{Counts, Step, StoreError};
use super::names;
use super::row::{Columns as _, corrupt};

const PUT_COUNTS: &str = "
    INSERT INTO counts (scope, minute, delivered, failed, skipped, cancelled, retried) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (scope, minute) DO UPDATE SET
        delivered = delivered + ?3, failed = failed + ?4, skipped = skipped + ?5, cancelled = cancelled + ?6,
        retried = retried + ?7";

/// Writes nothing if the row covers the keys already.
const PUT_KEYS: &str = "
    INSERT INTO minutes (minute, first_key, end_key) VALUES (?1, ?2, ?3 + 65536)
    ON CONFLICT (minute) DO UPDATE SET first_key = min(first_key, ?2), end_key = max(end_key, ?3 + 65536)
    WHERE first_key > ?2 OR end_key < ?3";

/// What is counted, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Deliveries that were delivered.
    Delivered,
    /// Deliveries that failed for good.
    Failed,
    /// Deliveries that the plugin skipped.
    Skipped,
    /// Deliveries that were cancelled.
    Cancelled,
    /// Attempts that failed and are retried.
    Retried,
}

/// What a transaction adds up.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies {
    /// By scope and minute.
    counts: HashMap<(i64, i64), [i64; 5]>,
    /// The first key of a minute, and the end of its keys.
    keys: HashMap<i64, (i64, i64)>,
}

/// Returns the minute of a time, since 1970-01-01 UTC.
pub(super) fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

impl Tallies {
    /// Adds to the counts of scopes.
    pub(super) fn count(&mut self, scopes: [i64; 2], at: Timestamp, what: Counted, count: i64) {
        for scope in scopes {
            self.counts.entry((scope, minute(at))).or_default()[what as usize] += count;
        }
    }

    /// Adds keys that were given to an event accepted at this time, or to its deliveries.
    pub(super) fn gave_keys(&mut self, accepted_at: Timestamp, first: i64, end: i64) {
        let keys = self.keys.entry(minute(accepted_at)).or_insert((first, end));
        *keys = (keys.0.min(first), keys.1.max(end));
    }

    /// Writes all.
    pub(super) fn write(&mut self, db: &Connection) -> Result<(), StoreError> {
        if !self.counts.is_empty() {
            let mut put = db.prepare_cached(PUT_COUNTS)?;
            for ((scope, minute), [delivered, failed, skipped, cancelled, retried]) in self.counts.drain() {
                put.execute((scope, minute, delivered, failed, skipped, cancelled, retried))?;
            }
        }
        if !self.keys.is_empty() {
            let mut put = db.prepare_cached(PUT_KEYS)?;
            for (minute, (first, end)) in self.keys.drain() {
                put.execute((minute, first, end))?;
            }
        }
        Ok(())
    }
}

pub(super) const COUNTS: &str = "
    SELECT minute, delivered, failed, skipped, cancelled, retried FROM counts
    WHERE scope = ?1 AND minute >= ?2 AND minute < ?3 ORDER BY minute";

/// See [`Store::counts`](super::super::Store::counts).
pub(super) fn read(
    db: &Connection,
    space: &SpaceId,
    subscription: Option<SubscriptionId>,
    Range { start: since, end: until }: Range<Timestamp>,
    step: Step,
) -> Result<Vec<Counts>, StoreError> {
    let Some(space) = names::space(db, space)? else { return Ok(Vec::new()) };
    let scope = match subscription {
        None => Some(space),
        Some(id) => names::subscription_of(db, space, id)?,
    };
    let Some(scope) = scope else { return Ok(Vec::new()) };
    let length = step.minutes();
    let from = minute(since).div_euclid(length) * length;
    // The first minute that is not in the range: a step that has begun before `until` is whole.
    let last = until.checked_sub(SignedDuration::from_micros(1)).unwrap_or(until);
    let end = (minute(last).div_euclid(length) + 1) * length;
    let mut select = db.prepare_cached(COUNTS)?;
    let mut rows = select.query([scope, from, end])?;
    let mut steps: Vec<Counts> = Vec::new();
    while let Some(row) = rows.next()? {
        let begin = row.value::<i64>("minute")?.div_euclid(length) * length;
        let at = Timestamp::from_second(begin * 60).map_err(|error| corrupt("minute", error))?;
        let counted = Counts {
            at,
            delivered: row.count("delivered")?,
            failed: row.count("failed")?,
            skipped: row.count("skipped")?,
            cancelled: row.count("cancelled")?,
            retried: row.count("retried")?,
        };
        match steps.last_mut().filter(|last| last.at == at) {
            Some(last) => last.add(&counted),
            None => steps.push(counted),
        }
    }
    Ok(steps)
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.cancelled += other.cancelled;
        self.retried += other.retried;
    }
}
