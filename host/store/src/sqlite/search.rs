//! Searching deliveries, newest first.
//!
//! The most selective filter determines where the keys of candidates come from: an index, in which each of them is a step.
//! The other filters are applied to the rows. A part of a listing examines a bounded number of candidates.

use std::time::{Duration, Instant};

use hookmill_model::{DeliveryId, DeliveryState, SpaceId};
use rusqlite::{CachedStatement, Connection, Row, params};

use super::super::{DeliveryFilter, DeliveryHead, EventHead, ListPart, StoreError};
use super::deliveries::{BY_KEY, read_delivery_head};
use super::events::{HEAD_BY_KEY, read_head};
use super::keys::{self, DELIVERIES_OF_SPACE, DELIVERIES_OF_SUBSCRIPTION, Index, Range};
use super::row::{Columns as _, PART_BYTES_MAX, count};
use super::{ids, names};

/// Candidates that one part of a listing examines: some 30 ms. A filter that few of them pass takes more parts, between
/// which others have their turns.
const EXAMINED_MAX: usize = 5_000;

/// Time after which a part of a listing ends, for a disk that is slow.
const EXAMINING_MAX: Duration = Duration::from_secs(1);

/// The most candidates that are read from an index at once.
const ROUND_MAX: usize = 1_024;

pub(super) const ENDED_OF_SPACE: &str = "
    SELECT delivery FROM ended INDEXED BY ended_of_space
    WHERE space = ?1 AND state = ?2 AND delivery >= ?3 AND delivery < ?4 ORDER BY delivery DESC LIMIT ?5";

pub(super) const ENDED_OF_SUBSCRIPTION: &str = "
    SELECT delivery FROM ended INDEXED BY ended_of_subscription
    WHERE subscription = ?1 AND state = ?2 AND delivery >= ?3 AND delivery < ?4 ORDER BY delivery DESC LIMIT ?5";

pub(super) const WAITING_OF_SPACE: &str = "
    SELECT delivery FROM waiting INDEXED BY waiting_of_space
    WHERE space = ?1 AND state = ?2 AND delivery >= ?3 AND delivery < ?4 ORDER BY delivery DESC LIMIT ?5";

pub(super) const WAITING_OF_SUBSCRIPTION: &str = "
    SELECT delivery FROM waiting INDEXED BY waiting_of_subscription
    WHERE subscription = ?1 AND state = ?2 AND delivery >= ?3 AND delivery < ?4 ORDER BY delivery DESC LIMIT ?5";

pub(super) const OF_EVENT: &str = "
    SELECT deliveries.key FROM events JOIN deliveries
        ON deliveries.key >= first_delivery AND deliveries.key < first_delivery + events.deliveries
        AND deliveries.event = events.key
    WHERE events.key = ?1 AND deliveries.key >= ?2 AND deliveries.key < ?3 ORDER BY deliveries.key DESC LIMIT ?4";

pub(super) const LATER_OF_EVENT: &str = "
    SELECT delivery FROM later_deliveries
    WHERE event = ?1 AND delivery >= ?2 AND delivery < ?3 ORDER BY delivery DESC LIMIT ?4";

/// Where the keys of candidates come from.
enum Source {
    /// The range of an index, for these types.
    Types { index: &'static Index, scope: i64, types: Vec<i64> },
    /// A statement for a scope and a state, with further keys, newest first.
    State { sql: &'static str, scope: i64, state: &'static str, also: Vec<i64> },
    /// The deliveries of an event.
    Event(i64),
}

impl Source {
    /// Returns the most selective source for a filter; none if nothing passes it. `fresh` are the keys of the space's
    /// deliveries that are being sent for the first time, newest first.
    fn of(db: &Connection, space: i64, filter: &DeliveryFilter, fresh: Vec<i64>) -> Result<Option<Self>, StoreError> {
        if let Some(event) = &filter.event {
            return Ok(ids::event(db, space, event)?.map(Self::Event));
        }
        let subscription = match filter.subscription {
            None => None,
            Some(id) => match names::subscription_of(db, space, id)? {
                Some(key) => Some(key),
                None => return Ok(None),
            },
        };
        let state = |of_space, of_subscription, state: DeliveryState, also| {
            let (sql, scope) = subscription.map_or((of_space, space), |key| (of_subscription, key));
            Some(Self::State { sql, scope, state: state.as_str(), also })
        };
        Ok(match filter.state {
            Some(ended @ (DeliveryState::Failed | DeliveryState::Skipped | DeliveryState::Cancelled)) => {
                state(ENDED_OF_SPACE, ENDED_OF_SUBSCRIPTION, ended, Vec::new())
            }
            Some(held @ DeliveryState::Held) => state(WAITING_OF_SPACE, WAITING_OF_SUBSCRIPTION, held, Vec::new()),
            Some(pending @ DeliveryState::Pending) => state(WAITING_OF_SPACE, WAITING_OF_SUBSCRIPTION, pending, fresh),
            None | Some(DeliveryState::Delivered) => {
                let (index, scope) =
                    subscription.map_or((&DELIVERIES_OF_SPACE, space), |key| (&DELIVERIES_OF_SUBSCRIPTION, key));
                let types = match &filter.event_type {
                    Some(pattern) => keys::matching_types(db, index, scope, pattern)?,
                    None => keys::types(db, index, scope)?,
                };
                Some(Self::Types { index, scope, types })
            }
        })
    }

    /// Returns up to `limit` of the newest keys in a range, newest first.
    fn newest(&self, db: &Connection, range: Range, limit: usize) -> Result<Vec<i64>, StoreError> {
        let rows = count(limit);
        let Range { from, before } = range;
        let mut found = match self {
            Self::Types { index, scope, types } => return keys::newest(db, index, *scope, types, range, limit),
            Self::State { sql, scope, state, also } => {
                let mut found = query(db, sql, params![scope, state, from, before, rows])?;
                found.extend(also.iter().copied().filter(|key| (from..before).contains(key)).take(limit));
                found
            }
            Self::Event(event) => {
                let mut found = query(db, OF_EVENT, params![event, from, before, rows])?;
                found.extend(query(db, LATER_OF_EVENT, params![event, from, before, rows])?);
                found
            }
        };
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        found.truncate(limit);
        Ok(found)
    }
}

fn query(db: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<i64>, StoreError> {
    Ok(db.prepare_cached(sql)?.query_map(parameters, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// See [`Store::deliveries`](super::super::Store::deliveries). `fresh` returns the keys of a space's deliveries that are
/// being sent for the first time, newest first.
pub(super) fn list(
    db: &Connection,
    space: &SpaceId,
    filter: &DeliveryFilter,
    limit: usize,
    fresh: impl FnOnce(i64) -> Vec<i64>,
) -> Result<ListPart<DeliveryHead, DeliveryId>, StoreError> {
    let Some(space) = names::space(db, space)? else { return Ok(ListPart::empty()) };
    let Some(mut range) = range(db, filter)? else { return Ok(ListPart::empty()) };
    let fresh = if filter.state == Some(DeliveryState::Pending) { fresh(space) } else { Vec::new() };
    let Some(source) = Source::of(db, space, filter, fresh)? else { return Ok(ListPart::empty()) };
    let mut read =
        Candidates { db, space, filter, row: db.prepare_cached(BY_KEY)?, event: db.prepare_cached(HEAD_BY_KEY)? };
    let (mut entries, mut held, mut examined) = (Vec::<DeliveryHead>::new(), 0, 0);
    let until = Instant::now() + EXAMINING_MAX;
    let mut round = limit + 1;
    loop {
        let found = source.newest(db, range, round)?;
        for key in &found {
            let (head, passes) = read.one(*key)?;
            if passes {
                held += head.reason.as_ref().map_or(0, String::len);
                if entries.len() == limit || (held > PART_BYTES_MAX && !entries.is_empty()) {
                    let next = entries.last().map(|last| last.id);
                    return Ok(ListPart { entries, next });
                }
                entries.push(head.clone());
            }
            examined += 1;
            if examined == EXAMINED_MAX || Instant::now() >= until {
                return Ok(ListPart { entries, next: Some(head.id) });
            }
        }
        match found.last() {
            Some(last) if found.len() == round => range.before = *last,
            _ => return Ok(ListPart { entries, next: None }),
        }
        round = (round * 2).min(ROUND_MAX);
    }
}

/// Returns the range of keys that a filter allows; none if it continues after a delivery that does not exist.
fn range(db: &Connection, filter: &DeliveryFilter) -> Result<Option<Range>, StoreError> {
    let mut range = keys::accepted(db, filter.since, filter.until)?;
    if let Some(before) = filter.before {
        let Some(key) = before.key().map_or_else(|| ids::delivery(db, before), |key| Ok(Some(key)))? else {
            return Ok(None);
        };
        range.before = range.before.min(key);
    }
    Ok(Some(range))
}

/// Reads candidates, and applies the filter to them.
struct Candidates<'db> {
    db: &'db Connection,
    space: i64,
    filter: &'db DeliveryFilter,
    row: CachedStatement<'db>,
    event: CachedStatement<'db>,
}

impl Candidates<'_> {
    /// Returns the delivery with this key, and whether it passes the filter.
    fn one(&mut self, key: i64) -> rusqlite::Result<(DeliveryHead, bool)> {
        let (db, space, filter, event) = (self.db, self.space, self.filter, &mut self.event);
        self.row.query_row([key], |row| {
            let of = row.value::<i64>("event")?;
            let event = event.query_row([of], |row| read_head(row, of))?;
            let head = read_delivery_head(db, row, key, &event)?;
            let passes = row.value::<i64>("space")? == space && passes(filter, &head, &event, row)?;
            Ok((head, passes))
        })
    }
}

fn passes(filter: &DeliveryFilter, head: &DeliveryHead, event: &EventHead, _row: &Row<'_>) -> rusqlite::Result<bool> {
    let is = |wanted: Option<bool>| wanted.unwrap_or(true);
    Ok(is(filter.state.map(|state| state == head.state))
        && is(filter.subscription.map(|id| id == head.subscription_id))
        && is(filter.event_type.as_ref().map(|pattern| pattern.matches(&event.kind)))
        && is(filter.since.map(|since| event.accepted_at >= since))
        && is(filter.until.map(|until| event.accepted_at < until)))
}
