//! Writing what a replay sends, together with its cursor.

use hookmill_model::{DeliveryState, ReplayState, ReplayWhat, SubscriptionState};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::super::{ReplayStep, StoreError};
use super::super::deliveries::{self, Of};
use super::super::queues::Queued;
use super::super::row::{Columns as _, count, micros};
use super::super::writing::Writing;
use super::super::{accept, values};
use super::{end, slice};

const AT: &str = "
    SELECT space, subscription, what, only_missing FROM replays WHERE key = ?1 AND state = 'running' AND cursor = ?2 AND end_key >= ?3";

const EVENT_NOW: &str = "SELECT type, accepted_at FROM events WHERE key = ?1 AND space = ?2";

const LINK: &str = "INSERT INTO later_deliveries (event, delivery) VALUES (?1, ?2)";

const FAILED_NOW: &str = "SELECT attempts FROM ended WHERE delivery = ?1 AND subscription = ?2 AND state = 'failed'";

const STEP: &str = "
    UPDATE replays SET cursor = ?2, examined = examined + ?3, deliveries = deliveries + ?4,
        reached_at = coalesce(?5, reached_at), next_at = ?6, updated_at = ?7, reason = NULL,
        state = iif(?2 >= end_key, 'done', 'running')
    WHERE key = ?1";

/// See [`ReplayStore::step_replay`](super::super::super::ReplayStore::step_replay).
pub(super) fn step(db: &Writing<'_>, step: &ReplayStep) -> Result<u64, StoreError> {
    let ReplayStep { id, from, to, examined, reached_at, send, next_at, now } = step;
    let mut at = db.prepare_cached(AT)?;
    let found = at.query_row(params![id.key(), from, to], |row| {
        let of = Of { space: row.value("space")?, subscription: row.value("subscription")? };
        Ok((of, row.variant("what")?, row.value::<bool>("only_missing")?))
    });
    let Some((of, what, only_missing)) = found.optional()? else { return Ok(0) };
    if deleted(db, of)? {
        end(db, *id, ReplayState::Failed, Some("the subscription was deleted"), *now)?;
        return Ok(0);
    }
    let mut sent = 0;
    for (key, due_at) in send {
        sent += u64::from(match what {
            ReplayWhat::Events => deliver(db, of, (*key, only_missing), *due_at)?,
            ReplayWhat::Failed => send_again(db, of, *key, *due_at)?,
        });
    }
    db.prepare_cached(STEP)?.execute(params![
        id.key(),
        to,
        count(*examined),
        count(sent),
        reached_at.map(micros),
        micros(*next_at),
        micros(*now),
    ])?;
    Ok(sent)
}

/// Whether the subscription was deleted: deliveries made now would wait for nobody.
fn deleted(db: &Connection, of: Of) -> Result<bool, StoreError> {
    let mut select = db.prepare_cached("SELECT state FROM subscriptions WHERE key = ?1")?;
    let state = select.query_row([of.subscription], |row| row.variant::<SubscriptionState>("state")).optional()?;
    Ok(state.is_none_or(|state| state == SubscriptionState::Deleted))
}

/// Inserts a delivery of the event with this key; false if there is no such event, or one that is not missing.
fn deliver(
    db: &Writing<'_>,
    Of { space, subscription }: Of,
    (event, only_missing): (i64, bool),
    due_at: Timestamp,
) -> Result<bool, StoreError> {
    let mut select = db.prepare_cached(EVENT_NOW)?;
    let found = select.query_row([event, space], |row| Ok((row.value::<i64>("type")?, row.time("accepted_at")?)));
    let Some((kind, accepted_at)) = found.optional()? else { return Ok(false) };
    if only_missing && slice::has(db, event, subscription)? {
        return Ok(false);
    }
    let key = db.take_keys(1);
    let due_at = micros(due_at);
    let none: Option<[u8; 16]> = None;
    db.prepare_cached(accept::INSERT_DELIVERY)?.execute(params![
        key,
        space,
        subscription,
        kind,
        event,
        due_at,
        false,
        false,
        none
    ])?;
    db.prepare_cached(LINK)?.execute([event, key])?;
    values::link(db, event, key)?;
    db.prepare_cached(accept::INSERT_WAITING)?.execute([key, space, subscription, due_at])?;
    db.queued(Of { space, subscription }, Queued::of(DeliveryState::Pending, false, 1));
    db.created(DeliveryState::Pending, 1);
    db.gave_keys(accepted_at, key, key + 1);
    Ok(true)
}

/// Makes the failed delivery with this key pending; false if it is none any more.
fn send_again(db: &Writing<'_>, of: Of, key: i64, due_at: Timestamp) -> Result<bool, StoreError> {
    let mut select = db.prepare_cached(FAILED_NOW)?;
    let Some(attempts) = select.query_row([key, of.subscription], |row| row.get(0)).optional()? else {
        return Ok(false);
    };
    deliveries::resend(
        db,
        key,
        of,
        deliveries::Again { state: DeliveryState::Failed, attempts, due_at, verbatim: false },
    )?;
    Ok(true)
}
