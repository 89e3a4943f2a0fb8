//! Notices: failures are counted in groups, and what is to be told of them waits here until it is told.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, params};

use super::super::{NoticeStep, Record, StoreError};
use super::row::{Columns as _, count, micros, name};
use hookmill_model::{
    DeliveryId, DeliveryState, EventId, EventType, Failures, Notice, NoticeKind, NoticeStage, PauseReason,
    SubscriptionId,
};

pub(super) const KIND_OF_EVENT: &str =
    "SELECT kind FROM deliveries JOIN events ON seq = event WHERE deliveries.id = ?1";

const COUNT_FAILURE: &str = "
    INSERT INTO failure_groups (
        subscription, count, first_failed_at, last_failed_at, last_reason, last_delivery, untold_since, quiet_until, ended
    ) VALUES (?1, 1, ?2, ?2, ?3, ?4, ?2, 0, 0)
    ON CONFLICT (subscription) DO UPDATE SET
        count = iif(ended AND untold_since IS NULL, 1, count + 1),
        first_failed_at = iif(ended AND untold_since IS NULL, ?2, first_failed_at), last_failed_at = max(last_failed_at, ?2), last_reason = ?3, last_delivery = ?4,
        untold_since = coalesce(untold_since, ?2), ended = 0";

const HAS_GROUP: &str = "SELECT 1 FROM failure_groups WHERE subscription = ?1";

/// A success ends a group. It stays for what was not told yet, and for its quiet: a receiver that fails now and then would
/// make a message each time.
const END: &str = "
    UPDATE failure_groups SET ended = 1, quiet_until = min(quiet_until, last_failed_at + ?2)
    WHERE subscription = ?1 AND quiet_until IS NOT NULL";

/// The quiet of a group that a pause told ends with the first success.
const END_PAUSED: &str = "DELETE FROM failure_groups WHERE subscription = ?1 AND quiet_until IS NULL";

const FORGET: &str = "DELETE FROM failure_groups WHERE subscription = ?1";

/// Microseconds, an hour: the shortest time between two messages about one subscription, unless it is activated anew.
const QUIET_MIN_US: i64 = 60 * 60 * 1_000_000;

/// NULL, which is never due, if the group is quiet for as long as it lasts.
const DUE: &str = "max(untold_since + ?1, quiet_until)";

const TELL_GROUP: &str = "
    INSERT INTO notices (
        id, subscription, kind, stage, due_at, tries, at, count, first_failed_at, last_failed_at, last_reason,
        last_delivery
    )
    SELECT ?2, subscription, 'delivery.failed', 'event', ?3, 0, ?3, count, first_failed_at, last_failed_at, last_reason,
        last_delivery
    FROM failure_groups WHERE subscription = ?1";

const QUIET: &str = "UPDATE failure_groups SET untold_since = NULL, quiet_until = ?2 WHERE subscription = ?1";

const QUIET_AFTER: &str = "
    UPDATE failure_groups SET untold_since = NULL, quiet_until = iif(ended, min(?2, ?3), ?2) WHERE subscription = ?1";

const TELL_PAUSE: &str = "
    INSERT INTO notices (
        id, subscription, kind, stage, due_at, tries, at, pause_reason, detail, count, first_failed_at, last_failed_at,
        last_reason, last_delivery
    )
    SELECT ?2, ?1, 'subscription.paused', ?3, ?4, 0, ?4, ?5, ?6, count, first_failed_at, last_failed_at, last_reason,
        last_delivery
    FROM (SELECT 1) LEFT JOIN failure_groups ON subscription = ?1";

const TELL_ACTIVATION: &str = "
    INSERT INTO notices (id, subscription, kind, stage, due_at, tries, at)
    VALUES (?2, ?1, 'subscription.activated', 'event', ?3, 0, ?3)";

pub(super) const WAITING: &str = "SELECT * FROM notices WHERE stage = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3";

pub(super) const NEXT: &str = "SELECT min(due_at) AS due_at FROM notices WHERE stage = ?1";

/// What a written record means for its subscription's group; in the record's transaction. A test means nothing.
pub(super) fn follow(db: &Connection, record: &Record, state: DeliveryState) -> Result<(), StoreError> {
    match state {
        _ if record.test => Ok(()),
        DeliveryState::Delivered => end_group(db, record.subscription_id),
        DeliveryState::Failed if !is_operational(db, record.delivery_id)? => {
            db.prepare_cached(COUNT_FAILURE)?.execute(params![
                record.subscription_id.to_string(),
                micros(record.at),
                record.reason,
                record.delivery_id.to_string(),
            ])?;
            Ok(())
        }
        DeliveryState::Failed
        | DeliveryState::Pending
        | DeliveryState::Held
        | DeliveryState::Skipped
        | DeliveryState::Cancelled => Ok(()),
    }
}

/// Whether this delivery tells an operational event: of such, no operational event tells again.
fn is_operational(db: &Connection, id: DeliveryId) -> Result<bool, StoreError> {
    let kind: EventType = db.prepare_cached(KIND_OF_EVENT)?.query_row([id.to_string()], |row| row.text("kind"))?;
    Ok(kind.is_operational())
}

/// The subscription is doing well again.
fn end_group(db: &Connection, id: SubscriptionId) -> Result<(), StoreError> {
    let id = id.to_string();
    // On every delivery's way: most subscriptions have no group.
    if db.prepare_cached(HAS_GROUP)?.exists([&id])? {
        db.prepare_cached(END_PAUSED)?.execute([&id])?;
        db.prepare_cached(END)?.execute(params![id, QUIET_MIN_US])?;
    }
    Ok(())
}

/// The host paused this record's subscription: that is told at once, with all that failed until now.
pub(super) fn paused(db: &Connection, record: &Record, reason: PauseReason, detail: &str) -> Result<(), StoreError> {
    let stage = if is_operational(db, record.delivery_id)? { NoticeStage::Mail } else { NoticeStage::Event };
    let subscription = record.subscription_id.to_string();
    db.prepare_cached(TELL_PAUSE)?.execute(params![
        subscription,
        EventId::new(record.at).as_str(),
        name(&stage),
        micros(record.at),
        name(&reason),
        detail,
    ])?;
    // What was in flight fails after; there is nothing new in that.
    db.prepare_cached(QUIET)?.execute(params![subscription, None::<i64>])?;
    Ok(())
}

/// A subscription that was not active is.
pub(super) fn activated(db: &Connection, id: SubscriptionId, now: Timestamp) -> Result<(), StoreError> {
    db.prepare_cached(FORGET)?.execute([id.to_string()])?;
    db.prepare_cached(TELL_ACTIVATION)?.execute(params![id.to_string(), EventId::new(now).as_str(), micros(now)])?;
    Ok(())
}

/// See [`Store::raise_notices`](super::super::Store::raise_notices).
pub(super) fn raise(
    db: &Connection,
    now: Timestamp,
    window: SignedDuration,
    quiet_until: Timestamp,
) -> Result<(), StoreError> {
    let mut select = db.prepare_cached(&groups_due())?;
    let due = select.query_map(params![span(window), micros(now)], |row| row.get(0))?;
    for subscription in due.collect::<rusqlite::Result<Vec<String>>>()? {
        db.prepare_cached(TELL_GROUP)?.execute(params![subscription, EventId::new(now).as_str(), micros(now)])?;
        let quiet = params![subscription, micros(quiet_until), micros(now) + QUIET_MIN_US];
        db.prepare_cached(QUIET_AFTER)?.execute(quiet)?;
    }
    Ok(())
}

pub(super) fn groups_due() -> String {
    format!("SELECT subscription FROM failure_groups WHERE untold_since IS NOT NULL AND {DUE} <= ?2")
}

fn span(window: SignedDuration) -> i64 {
    count(window.as_micros())
}

/// See [`Store::notices`](super::super::Store::notices).
pub(super) fn waiting(
    db: &Connection,
    stage: NoticeStage,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Notice>, StoreError> {
    let mut select = db.prepare_cached(WAITING)?;
    let found = select.query_map(params![name(&stage), micros(now), count(limit)], read)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Notice> {
    let kind: NoticeKind = row.variant("kind")?;
    let failures = match row.value::<Option<i64>>("count")? {
        Some(_) => Some(Failures {
            count: row.count("count")?,
            first_at: row.time("first_failed_at")?,
            last_at: row.time("last_failed_at")?,
            last_reason: row.value("last_reason")?,
            last_delivery: row.text("last_delivery")?,
        }),
        None => None,
    };
    Ok(Notice {
        id: row.text("id")?,
        subscription_id: row.text("subscription")?,
        kind,
        at: row.time("at")?,
        pause_reason: row.value("pause_reason")?,
        detail: row.value("detail")?,
        failures,
        tries: row.value("tries")?,
    })
}

/// See [`Store::step_notice`](super::super::Store::step_notice).
pub(super) fn step(db: &Connection, id: &EventId, step: NoticeStep) -> Result<(), StoreError> {
    let id = id.as_str();
    match step {
        NoticeStep::Mail => db.prepare_cached("UPDATE notices SET stage = 'mail' WHERE id = ?1")?.execute([id])?,
        NoticeStep::Later(due_at) => db
            .prepare_cached("UPDATE notices SET due_at = ?2, tries = tries + 1 WHERE id = ?1")?
            .execute(params![id, micros(due_at)])?,
        NoticeStep::Done => db.prepare_cached("DELETE FROM notices WHERE id = ?1")?.execute([id])?,
    };
    Ok(())
}

/// See [`Store::next_notice`](super::super::Store::next_notice).
pub(super) fn next(
    db: &Connection,
    stage: NoticeStage,
    window: SignedDuration,
) -> Result<Option<Timestamp>, StoreError> {
    let mut select = db.prepare_cached(NEXT)?;
    let notice = select.query_row([name(&stage)], |row| row.time_if_any("due_at"))?;
    let group = match stage {
        NoticeStage::Event => next_group(db, window)?,
        NoticeStage::Mail => None,
    };
    Ok(notice.into_iter().chain(group).min())
}

fn next_group(db: &Connection, window: SignedDuration) -> Result<Option<Timestamp>, StoreError> {
    let sql = format!("SELECT min({DUE}) AS due_at FROM failure_groups WHERE untold_since IS NOT NULL");
    let mut select = db.prepare_cached(&sql)?;
    Ok(select.query_row([span(window)], |row| row.time_if_any("due_at"))?)
}
