//! Keys in order of acceptance, newest first, from the indexes that begin with a scope and a type. A listing of several
//! types merges their ranges, so each costs what it returns, however rare its types are.

use hookmill_model::{EventType, Pattern};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::StoreError;
use super::row::{Columns as _, count};
use super::tallies::minute;

/// The statements of one index.
pub(super) struct Index {
    /// The next type of a scope.
    pub(super) next_type: &'static str,
    /// The newest keys of a scope and a type in a range.
    pub(super) newest: &'static str,
}

/// An index of a table by a scope and a type.
macro_rules! index {
    ($table:literal, $index:literal, $scope:literal) => {
        Index {
            next_type: concat!(
                "SELECT types.key, name FROM types WHERE types.key = (SELECT type FROM ",
                $table,
                " INDEXED BY ",
                $index,
                " WHERE ",
                $scope,
                " = ?1 AND type > ?2 ORDER BY type LIMIT 1)"
            ),
            newest: concat!(
                "SELECT key FROM ",
                $table,
                " INDEXED BY ",
                $index,
                " WHERE ",
                $scope,
                " = ?1 AND type = ?2 AND key >= ?3 AND key < ?4 ORDER BY key DESC LIMIT ?5"
            ),
        }
    };
}

pub(super) const EVENTS_OF_SPACE: Index = index!("events", "events_of_space", "space");
pub(super) const DELIVERIES_OF_SPACE: Index = index!("deliveries", "deliveries_of_space", "space");
pub(super) const DELIVERIES_OF_SUBSCRIPTION: Index = index!("deliveries", "deliveries_of_subscription", "subscription");

/// Keys from one on, before another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) from: i64,
    pub(super) before: i64,
}

/// Returns the types in a scope of an index.
pub(super) fn types(db: &Connection, index: &Index, scope: i64) -> Result<Vec<i64>, StoreError> {
    matching_types(db, index, scope, &Pattern::All)
}

/// Returns the types in a scope of an index that a pattern matches.
pub(super) fn matching_types(
    db: &Connection,
    index: &Index,
    scope: i64,
    pattern: &Pattern,
) -> Result<Vec<i64>, StoreError> {
    types_where(db, index, scope, |name| pattern.matches(name))
}

/// Returns the types in a scope of an index for which `wanted` is true.
pub(super) fn types_where(
    db: &Connection,
    index: &Index,
    scope: i64,
    wanted: impl Fn(&EventType) -> bool,
) -> Result<Vec<i64>, StoreError> {
    let mut next = db.prepare_cached(index.next_type)?;
    let (mut found, mut after) = (Vec::new(), 0);
    while let Some((key, name)) =
        next.query_row([scope, after], |row| Ok((row.get::<_, i64>(0)?, row.text("name")?))).optional()?
    {
        after = key;
        if wanted(&name) {
            found.push(key);
        }
    }
    Ok(found)
}

/// Returns up to `limit` of the newest keys of these types in a range, newest first.
pub(super) fn newest(
    db: &Connection,
    index: &Index,
    scope: i64,
    types: &[i64],
    range: Range,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let mut select = db.prepare_cached(index.newest)?;
    let mut found: Vec<i64> = Vec::new();
    for kind in types {
        let rows = select.query_map(params![scope, kind, range.from, range.before, count(limit)], |row| row.get(0))?;
        for key in rows {
            found.push(key?);
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(limit);
    Ok(found)
}

pub(super) const SINCE: &str = "SELECT min(first_key) FROM minutes WHERE minute >= ?1";
pub(super) const UNTIL: &str = "SELECT max(end_key) FROM minutes WHERE minute <= ?1";

/// Returns a range with the keys of all events accepted between two times, and of their deliveries. It has others, too.
pub(super) fn accepted(
    db: &Connection,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Range, StoreError> {
    let bound = |sql: &str, at: Timestamp| db.prepare_cached(sql)?.query_row([minute(at)], |row| row.get(0));
    let from = since.map(|at| bound(SINCE, at)).transpose()?;
    let before = until.map(|at| bound(UNTIL, at)).transpose()?;
    Ok(Range {
        // No minute: no event.
        from: from.map_or(0, |first: Option<i64>| first.unwrap_or(i64::MAX)),
        before: before.map_or(i64::MAX, |end: Option<i64>| end.unwrap_or(0)),
    })
}
