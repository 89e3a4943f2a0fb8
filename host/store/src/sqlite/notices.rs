//! Notices: the rows of failure groups, and of the notices that are still to be sent. What happens to a group is
//! decided by [`FailureGroup`].

use hookmill_model::{
    DeliveryState, Event, EventId, FailureGroup, Failures, Notice, NoticeKind, NoticeStage, Pause, Quiet,
    SubscriptionId,
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::super::{NoticeStep, Record, StoreError};
use super::row::{Columns as _, count, micros, name};

const GROUP: &str = "SELECT * FROM failure_groups WHERE subscription = ?1";

pub(super) const UNREPORTED_GROUPS: &str = "SELECT * FROM failure_groups WHERE untold_since IS NOT NULL";

const PUT_GROUP: &str = "
    INSERT OR REPLACE INTO failure_groups (
        subscription, count, first_failed_at, last_failed_at, last_reason, last_delivery, untold_since, quiet_until,
        ended
    ) VALUES (
        :subscription, :count, :first_failed_at, :last_failed_at, :last_reason, :last_delivery, :untold_since,
        :quiet_until, :ended
    )";

const DELETE_GROUP: &str = "DELETE FROM failure_groups WHERE subscription = ?1";

const PUT_NOTICE: &str = "
    INSERT INTO notices (
        id, subscription, kind, stage, due_at, tries, at, pause_reason, detail, count, first_failed_at, last_failed_at,
        last_reason, last_delivery
    ) VALUES (
        :id, :subscription, :kind, :stage, :at, :tries, :at, :pause_reason, :detail, :count, :first_failed_at,
        :last_failed_at, :last_reason, :last_delivery
    )";

pub(super) const WAITING: &str = "SELECT * FROM notices WHERE stage = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3";

pub(super) const NEXT: &str = "SELECT min(due_at) AS due_at FROM notices WHERE stage = ?1";

/// Updates the group of the record's subscription, in the record's transaction. A test changes nothing, nor does the
/// failure of an operational event: it is not reported by another one.
pub(super) fn follow(db: &Connection, record: &Record, event: &Event, state: DeliveryState) -> Result<(), StoreError> {
    let id = record.subscription_id;
    match state {
        _ if record.test => Ok(()),
        // On every delivery's path: most subscriptions have no group.
        DeliveryState::Delivered => match group(db, id)? {
            Some(group) => match group.succeed() {
                Some(ended) => put_group(db, id, &ended),
                None => delete_group(db, id),
            },
            None => Ok(()),
        },
        DeliveryState::Failed if !event.kind.is_operational() => {
            let (at, reason, delivery) = (record.at, record.reason.clone(), record.delivery_id);
            let failed = match group(db, id)? {
                Some(group) => group.fail(at, reason, delivery),
                None => FailureGroup::open(at, reason, delivery),
            };
            put_group(db, id, &failed)
        }
        DeliveryState::Failed
        | DeliveryState::Pending
        | DeliveryState::Held
        | DeliveryState::Skipped
        | DeliveryState::Cancelled => Ok(()),
    }
}

/// Reports that the host paused this record's subscription, at once and with all unreported failures.
pub(super) fn paused_by(db: &Connection, record: &Record, event: &Event, pause: &Pause) -> Result<(), StoreError> {
    // The failure of an operational event is not reported by another operational event.
    let stage = if event.kind.is_operational() { NoticeStage::Mail } else { NoticeStage::Event };
    paused(db, record.subscription_id, record.at, pause, stage)
}

/// Reports that the host paused a subscription, at once and with all unreported failures.
pub(super) fn paused(
    db: &Connection,
    id: SubscriptionId,
    at: Timestamp,
    pause: &Pause,
    stage: NoticeStage,
) -> Result<(), StoreError> {
    let group = group(db, id)?;
    let notice = Notice {
        pause_reason: Some(name(&pause.reason)),
        detail: Some(pause.detail.clone()),
        failures: group.as_ref().map(|group| group.failures.clone()),
        ..notice(id, NoticeKind::SubscriptionPaused, at)
    };
    put_notice(db, &notice, stage)?;
    match group {
        Some(group) => put_group(db, id, &group.reported_with_pause()),
        None => Ok(()),
    }
}

/// Reports that a subscription that was not active is active now, and forgets its failures.
pub(super) fn activated(db: &Connection, id: SubscriptionId, now: Timestamp) -> Result<(), StoreError> {
    delete_group(db, id)?;
    put_notice(db, &notice(id, NoticeKind::SubscriptionActivated, now), NoticeStage::Event)
}

/// See [`Store::raise_notices`](super::super::Store::raise_notices).
pub(super) fn raise(
    db: &Connection,
    now: Timestamp,
    window: SignedDuration,
    quiet_until: Timestamp,
) -> Result<(), StoreError> {
    for (id, group) in unreported_groups(db)? {
        if group.due_at(window).is_none_or(|due_at| due_at > now) {
            continue;
        }
        let failures = Some(group.failures.clone());
        let notice = Notice { failures, ..notice(id, NoticeKind::DeliveryFailed, now) };
        put_notice(db, &notice, NoticeStage::Event)?;
        put_group(db, id, &group.reported(now, quiet_until))?;
    }
    Ok(())
}

fn group(db: &Connection, id: SubscriptionId) -> Result<Option<FailureGroup>, StoreError> {
    Ok(db.prepare_cached(GROUP)?.query_row([id.to_string()], read_group).optional()?)
}

fn unreported_groups(db: &Connection) -> Result<Vec<(SubscriptionId, FailureGroup)>, StoreError> {
    let mut select = db.prepare_cached(UNREPORTED_GROUPS)?;
    let found = select.query_map([], |row| Ok((row.text("subscription")?, read_group(row)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn read_group(row: &Row<'_>) -> rusqlite::Result<FailureGroup> {
    Ok(FailureGroup {
        failures: read_failures(row)?,
        unreported_since: row.time_if_any("untold_since")?,
        quiet: row.time_if_any("quiet_until")?.map_or(Quiet::UntilSuccess, Quiet::Until),
        ended: row.value("ended")?,
    })
}

fn put_group(db: &Connection, id: SubscriptionId, group: &FailureGroup) -> Result<(), StoreError> {
    let quiet_until = match group.quiet {
        Quiet::Until(until) => Some(micros(until)),
        Quiet::UntilSuccess => None,
    };
    db.prepare_cached(PUT_GROUP)?.execute(named_params! {
        ":subscription": id.to_string(),
        ":count": count(group.failures.count),
        ":first_failed_at": micros(group.failures.first_at),
        ":last_failed_at": micros(group.failures.last_at),
        ":last_reason": group.failures.last_reason,
        ":last_delivery": group.failures.last_delivery.to_string(),
        ":untold_since": group.unreported_since.map(micros),
        ":quiet_until": quiet_until,
        ":ended": group.ended,
    })?;
    Ok(())
}

fn delete_group(db: &Connection, id: SubscriptionId) -> Result<(), StoreError> {
    db.prepare_cached(DELETE_GROUP)?.execute([id.to_string()])?;
    Ok(())
}

/// A new notice without failures.
fn notice(subscription_id: SubscriptionId, kind: NoticeKind, at: Timestamp) -> Notice {
    Notice {
        id: EventId::new(at),
        subscription_id,
        kind,
        at,
        pause_reason: None,
        detail: None,
        failures: None,
        tries: 0,
    }
}

/// Writes a notice, due at once.
fn put_notice(db: &Connection, notice: &Notice, stage: NoticeStage) -> Result<(), StoreError> {
    let failures = notice.failures.as_ref();
    db.prepare_cached(PUT_NOTICE)?.execute(named_params! {
        ":id": notice.id.as_str(),
        ":subscription": notice.subscription_id.to_string(),
        ":kind": notice.kind.as_str(),
        ":stage": name(&stage),
        ":tries": notice.tries,
        ":at": micros(notice.at),
        ":pause_reason": notice.pause_reason,
        ":detail": notice.detail,
        ":count": failures.map(|failures| count(failures.count)),
        ":first_failed_at": failures.map(|failures| micros(failures.first_at)),
        ":last_failed_at": failures.map(|failures| micros(failures.last_at)),
        ":last_reason": failures.and_then(|failures| failures.last_reason.as_deref()),
        ":last_delivery": failures.map(|failures| failures.last_delivery.to_string()),
    })?;
    Ok(())
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
    let has_failures = row.value::<Option<i64>>("count")?.is_some();
    Ok(Notice {
        id: row.text("id")?,
        subscription_id: row.text("subscription")?,
        kind: row.variant("kind")?,
        at: row.time("at")?,
        pause_reason: row.value("pause_reason")?,
        detail: row.value("detail")?,
        failures: has_failures.then(|| read_failures(row)).transpose()?,
        tries: row.value("tries")?,
    })
}

fn read_failures(row: &Row<'_>) -> rusqlite::Result<Failures> {
    Ok(Failures {
        count: row.count("count")?,
        first_at: row.time("first_failed_at")?,
        last_at: row.time("last_failed_at")?,
        last_reason: row.value("last_reason")?,
        last_delivery: row.text("last_delivery")?,
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
        NoticeStage::Event => unreported_groups(db)?.iter().filter_map(|(_, group)| group.due_at(window)).min(),
        NoticeStage::Mail => None,
    };
    Ok(notice.into_iter().chain(group).min())
}
