//! Searching deliveries, newest first.
//!
//! The most selective filter determines where the keys of candidates come from ([`sources`](super::sources)). The other
//! filters are applied to the rows. A part of a listing examines a bounded number of candidates.

use std::time::{Duration, Instant};

use hookmill_model::{DeliveryId, DeliveryState, SpaceId};
use rusqlite::{CachedStatement, Connection, Row};

use super::super::{DeliveryFilter, DeliveryHead, EventHead, IndexedValue, ListPart, StoreError};
use super::deliveries::{BY_KEY, Progress, read_delivery_head};
use super::events::{HEAD_BY_KEY, read_head};
use super::keys::{self, Range};
use super::row::{Columns as _, PART_BYTES_MAX};
use super::sources::Sources;
use super::{ids, names, values};

/// Candidates that one part of a listing examines: some 30 ms. A filter that few of them pass takes more parts, between
/// which others have their turns.
const EXAMINED_MAX: usize = 5_000;

/// Time after which a part of a listing ends, for a disk that is slow.
const EXAMINING_MAX: Duration = Duration::from_secs(1);

/// The most candidates that are read from an index at once.
const ROUND_MAX: usize = 1_024;

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
    let Some(sources) = Sources::of(db, space, filter, fresh)? else { return Ok(ListPart::empty()) };
    let mut read = Candidates::new(db, space, filter)?;
    let (mut entries, mut held, mut examined) = (Vec::<DeliveryHead>::new(), 0, 0);
    let until = Instant::now() + EXAMINING_MAX;
    let mut round = limit + 1;
    loop {
        let found = sources.newest(db, range, round)?;
        for key in &found {
            if let Some(head) = read.one(*key)? {
                held += head.reason.as_ref().map_or(0, String::len);
                if entries.len() == limit || (held > PART_BYTES_MAX && !entries.is_empty()) {
                    let next = entries.last().map(|last| last.id);
                    return Ok(ListPart { entries, next });
                }
                entries.push(head);
            }
            examined += 1;
            if examined == EXAMINED_MAX || Instant::now() >= until {
                return Ok(ListPart { entries, next: Some(read.id(*key)?) });
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
    /// The filter's text in lower case.
    reason: Option<String>,
    /// The key of the filter's path, and its value.
    value: Option<(i64, &'db str)>,
    row: CachedStatement<'db>,
    event: CachedStatement<'db>,
}

impl<'db> Candidates<'db> {
    fn new(db: &'db Connection, space: i64, filter: &'db DeliveryFilter) -> Result<Self, StoreError> {
        let reason = filter.reason.as_ref().map(|reason| reason.to_lowercase());
        let value = match &filter.value {
            Some(IndexedValue { path, value }) => {
                names::value_path(db, space, path)?.map(|path| (path, value.as_str()))
            }
            None => None,
        };
        let (row, event) = (db.prepare_cached(BY_KEY)?, db.prepare_cached(HEAD_BY_KEY)?);
        Ok(Self { db, space, filter, reason, value, row, event })
    }

    /// Returns the delivery with this key, if it passes the filter.
    fn one(&mut self, key: i64) -> rusqlite::Result<Option<DeliveryHead>> {
        let Self { db, space, filter, reason, value, row, event } = self;
        row.query_row([key], |row| {
            let progress = Progress::read(row)?;
            if row.value::<i64>("space")? != *space || !passes(filter, reason.as_deref(), &progress, row)? {
                return Ok(None);
            }
            let of = row.value::<i64>("event")?;
            if let Some(value) = *value
                && !values::has(db, value, of, row.value::<bool>("batch")?.then_some(key))?
            {
                return Ok(None);
            }
            let event = event.query_row([of], |row| read_head(row, of))?;
            if !passes_event(filter, &event) {
                return Ok(None);
            }
            read_delivery_head(db, row, key, &event, progress).map(Some)
        })
    }

    /// Returns the id of the delivery with this key.
    fn id(&mut self, key: i64) -> rusqlite::Result<DeliveryId> {
        let event = &mut self.event;
        self.row.query_row([key], |row| {
            let of = row.value::<i64>("event")?;
            let event = event.query_row([of], |row| read_head(row, of))?;
            Ok(ids::of_delivery(key, row.value("id")?, event.accepted_at))
        })
    }
}

/// Whether a filter lets a delivery pass, as far as its own row decides that.
fn passes(filter: &DeliveryFilter, reason: Option<&str>, progress: &Progress, row: &Row<'_>) -> rusqlite::Result<bool> {
    if filter.state.is_some_and(|state| state != progress.state) {
        return Ok(false);
    }
    if let Some(reason) = reason
        && !progress.reason.as_ref().is_some_and(|text| text.to_lowercase().contains(reason))
    {
        return Ok(false);
    }
    if let Some(subscription) = filter.subscription
        && row.text::<hookmill_model::SubscriptionId>("subscription")? != subscription
    {
        return Ok(false);
    }
    if let Some(status) = filter.status
        && !row.value::<Option<u16>>("answer_status")?.is_some_and(|answer| status.includes(answer))
    {
        return Ok(false);
    }
    match filter.fault {
        Some(fault) => Ok(row.value::<Option<String>>("problem")?.is_some_and(|problem| problem == fault.name())),
        None => Ok(true),
    }
}

/// Whether a filter lets deliveries of an event pass.
fn passes_event(filter: &DeliveryFilter, event: &EventHead) -> bool {
    filter.event_type.as_ref().is_none_or(|pattern| pattern.matches(&event.kind))
        && filter.since.is_none_or(|since| event.accepted_at >= since)
        && filter.until.is_none_or(|until| event.accepted_at < until)
}
