//! Where the keys of a search's candidates come from: indexes, in which each candidate is a step.

use hookmill_model::DeliveryState;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{DeliveryFilter, IndexedValue, StatusFilter, StoreError};
use super::attempts::NUMBERS;
use super::keys::{self, DELIVERIES_OF_SPACE, DELIVERIES_OF_SUBSCRIPTION, Index, Range};
use super::row::count;
use super::{ids, names, values};

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

/// The next problem of a space after one, before another.
pub(super) const NEXT_PROBLEM: &str = "
    SELECT problem FROM attempts INDEXED BY attempts_by_problem
    WHERE space = ?1 AND problem > ?2 AND problem < ?3 ORDER BY problem LIMIT 1";

/// Attempts with a problem. They have no limit: a delivery has several, and is counted once.
pub(super) const WITH_PROBLEM: &str = "
    SELECT key FROM attempts INDEXED BY attempts_by_problem
    WHERE space = ?1 AND problem = ?2 AND key >= ?3 AND key < ?4 ORDER BY key DESC";

const ENDED: [DeliveryState; 3] = [DeliveryState::Failed, DeliveryState::Skipped, DeliveryState::Cancelled];
const WAITING: [DeliveryState; 2] = [DeliveryState::Pending, DeliveryState::Held];

/// Where the keys of candidates come from.
enum Source {
    /// The range of an index, for these types.
    Types { index: &'static Index, scope: i64, types: Vec<i64> },
    /// A scope's deliveries in these states, each with its statement; and further keys, newest first.
    States { scope: i64, states: Vec<(&'static str, DeliveryState)>, also: Vec<i64> },
    /// The deliveries of an event.
    Event(i64),
    /// The deliveries of a space with an attempt that had one of these problems.
    Problems { space: i64, problems: Vec<String> },
    /// The deliveries with an event that has a value at the path with this key.
    Value { path: i64, value: String },
}

/// Several sources, each of which has all candidates.
pub(super) struct Sources(Vec<Source>);

impl Sources {
    /// Returns the sources for a filter; none if nothing passes it. `fresh` are the keys of the space's deliveries that are
    /// being sent for the first time, newest first.
    pub(super) fn of(
        db: &Connection,
        space: i64,
        filter: &DeliveryFilter,
        fresh: Vec<i64>,
    ) -> Result<Option<Self>, StoreError> {
        let subscription = match filter.subscription {
            None => None,
            Some(id) => match names::subscription_of(db, space, id)? {
                Some(key) => Some(key),
                None => return Ok(None),
            },
        };
        let mut sources = Vec::new();
        if let Some(event) = &filter.event {
            let Some(event) = ids::event(db, space, event)? else { return Ok(None) };
            sources.push(Source::Event(event));
        }
        if let Some(IndexedValue { path, value }) = &filter.value {
            let Some(path) = names::value_path(db, space, path)? else { return Ok(None) };
            sources.push(Source::Value { path, value: value.clone() });
        }
        sources.extend(Source::problems(db, space, filter)?);
        sources.extend(Source::states(space, subscription, filter, fresh));
        // Without a narrower filter than others have, it would only repeat what they have.
        if sources.is_empty() || subscription.is_some() || filter.event_type.is_some() {
            sources.push(Source::types(db, space, subscription, filter)?);
        }
        Ok(Some(Self(sources)))
    }

    /// Returns up to `limit` of the newest keys in a range, newest first, from the source that has the fewest there.
    pub(super) fn newest(&self, db: &Connection, range: Range, limit: usize) -> Result<Vec<i64>, StoreError> {
        let mut fewest = None;
        for source in &self.0 {
            let found = source.newest(db, range, limit)?;
            // All of those have the same number: the fewest are those that reach back the furthest.
            let back_to = if found.len() < limit { range.from } else { found.last().copied().unwrap_or(range.from) };
            let rank = (back_to, found.len());
            if fewest.as_ref().is_none_or(|(best, _)| rank < *best) {
                fewest = Some((rank, found));
            }
        }
        Ok(fewest.map(|(_, found)| found).unwrap_or_default())
    }
}

impl Source {
    /// The source of deliveries whose attempts failed, if the filter lets no other pass.
    fn problems(db: &Connection, space: i64, filter: &DeliveryFilter) -> Result<Option<Self>, StoreError> {
        let delivered = filter.state.is_none_or(|state| state == DeliveryState::Delivered);
        let problems = match (filter.fault, filter.status) {
            (Some(fault), _) => vec![fault.name()],
            // The index has no successes.
            (None, Some(status)) if status.may_succeed() && delivered => return Ok(None),
            (None, Some(StatusFilter::One(status))) => vec![status.to_string()],
            (None, Some(StatusFilter::Class(digit))) => {
                let mut next = db.prepare_cached(NEXT_PROBLEM)?;
                let (mut problems, mut after) = (Vec::new(), digit.to_string());
                let before = char::from(b'0' + digit + 1).to_string();
                while let Some(problem) =
                    next.query_row(params![space, after, before], |row| row.get::<_, String>(0)).optional()?
                {
                    after.clone_from(&problem);
                    problems.push(problem);
                }
                problems
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Self::Problems { space, problems }))
    }

    /// The source of deliveries that wait or ended otherwise than delivered, if the filter lets no other pass.
    fn states(space: i64, subscription: Option<i64>, filter: &DeliveryFilter, also: Vec<i64>) -> Option<Self> {
        let statement = |state: DeliveryState| match (ENDED.contains(&state), subscription) {
            (true, None) => ENDED_OF_SPACE,
            (true, Some(_)) => ENDED_OF_SUBSCRIPTION,
            (false, None) => WAITING_OF_SPACE,
            (false, Some(_)) => WAITING_OF_SUBSCRIPTION,
        };
        let states = match filter.state {
            Some(DeliveryState::Delivered) => return None,
            Some(state) => vec![state],
            // What is delivered has no reason.
            None if filter.reason.is_some() => [&ENDED[..], &WAITING].concat(),
            None => return None,
        };
        let states = states.into_iter().map(|state| (statement(state), state)).collect();
        Some(Self::States { scope: subscription.unwrap_or(space), states, also })
    }

    /// The source of all deliveries of the filter's types.
    fn types(
        db: &Connection,
        space: i64,
        subscription: Option<i64>,
        filter: &DeliveryFilter,
    ) -> Result<Self, StoreError> {
        let (index, scope) =
            subscription.map_or((&DELIVERIES_OF_SPACE, space), |key| (&DELIVERIES_OF_SUBSCRIPTION, key));
        let types = match &filter.event_type {
            Some(pattern) => keys::matching_types(db, index, scope, pattern)?,
            None => keys::types(db, index, scope)?,
        };
        Ok(Self::Types { index, scope, types })
    }

    /// Returns up to `limit` of the newest keys in a range, newest first.
    fn newest(&self, db: &Connection, range: Range, limit: usize) -> Result<Vec<i64>, StoreError> {
        let rows = count(limit);
        let Range { from, before } = range;
        let mut found = match self {
            Self::Types { index, scope, types } => return keys::newest(db, index, *scope, types, range, limit),
            Self::States { scope, states, also } => {
                let mut found: Vec<i64> =
                    also.iter().copied().filter(|key| (from..before).contains(key)).take(limit).collect();
                for (sql, state) in states {
                    found.extend(query(db, sql, params![scope, state.as_str(), from, before, rows])?);
                }
                found
            }
            Self::Event(event) => {
                let mut found = query(db, OF_EVENT, params![event, from, before, rows])?;
                found.extend(query(db, LATER_OF_EVENT, params![event, from, before, rows])?);
                found
            }
            Self::Problems { space, problems } => {
                let mut found = Vec::new();
                for problem in problems {
                    found.extend(with_problem(db, *space, problem, range, limit)?);
                }
                found
            }
            Self::Value { path, value } => values::deliveries(db, *path, value, range, limit)?,
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

/// Returns up to `limit` of the newest deliveries with an attempt that had this problem, newest first.
fn with_problem(
    db: &Connection,
    space: i64,
    problem: &str,
    Range { from, before }: Range,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let mut select = db.prepare_cached(WITH_PROBLEM)?;
    let attempts = params![space, problem, from.saturating_mul(NUMBERS), before.saturating_mul(NUMBERS)];
    let mut rows = select.query(attempts)?;
    let mut found: Vec<i64> = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let delivery = row.get::<_, i64>(0)? / NUMBERS;
        if found.last() != Some(&delivery) {
            found.push(delivery);
        }
    }
    Ok(found)
}
