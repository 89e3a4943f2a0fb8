//! Recording: what came of a claimed delivery, if it is still as the claim left it.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, params};

use super::super::{Record, Recorded, StoreError};
use super::row::micros;
use super::{attempts, subscriptions};
use crate::model::{Attempt, DeliveryState, Outcome, SubscriptionId, SubscriptionState};

/// The compare-and-set that all correctness rests on.
pub(super) const FINISH: &str = "
    UPDATE deliveries
    SET state = ?3, attempts = coalesce(?4, attempts), due_at = ?5, claimed_until = NULL, ready_at = ?5,
        completed_at = ?6, reason = ?7
    WHERE id = ?1 AND state = 'pending' AND claimed_until = ?2";

const ACTIVITY: &str = "
    INSERT INTO subscription_activity (subscription, failure_streak, last_triggered_at) VALUES (?1, ?3, ?4)
    ON CONFLICT (subscription) DO UPDATE SET
        failure_streak = ?3 + iif(?2, 0, failure_streak), last_triggered_at = max(last_triggered_at, ?4)";

/// See [`Store::record`](super::super::Store::record).
pub(super) fn record(db: &Connection, records: &[Record]) -> Result<Vec<Recorded>, StoreError> {
    let mut finish = db.prepare_cached(FINISH)?;
    let mut activity = HashMap::new();
    let mut recorded = Vec::with_capacity(records.len());
    for record in records {
        let written = write(db, &mut finish, record)?;
        recorded.push(if written { Recorded::Written } else { Recorded::Stale });
        if let Some(attempt) = record.attempt.as_ref().filter(|_| written) {
            activity.entry(record.subscription_id).or_insert_with(|| Progress::new(attempt)).add(attempt);
        }
    }
    write_activity(db, &activity)?;
    Ok(recorded)
}

/// False, and nothing written, if the delivery is not as the claim left it.
fn write(db: &Connection, finish: &mut CachedStatement<'_>, record: &Record) -> Result<bool, StoreError> {
    let state = state_now(db, record)?;
    let updated = finish.execute(params![
        record.delivery_id.to_string(),
        micros(record.claimed_until),
        state.as_str(),
        record.attempt.as_ref().map(|attempt| attempt.number),
        micros(record.due_at),
        state.is_final().then_some(micros(record.at)),
        record.reason,
    ])?;
    if updated == 0 {
        return Ok(false);
    }
    if let Some(attempt) = &record.attempt {
        attempts::insert(db, attempt)?;
    }
    if let Some(reason) = record.pause {
        subscriptions::pause(db, record.subscription_id, reason)?;
    }
    Ok(true)
}

/// The state that holds by now. Whoever held the delivery saw its subscription paused, a moment ago: had it been
/// activated or deleted since, nothing would ever move the delivery again.
fn state_now(db: &Connection, record: &Record) -> Result<DeliveryState, StoreError> {
    match record.state {
        DeliveryState::Held => Ok(match subscriptions::state(db, record.subscription_id)? {
            SubscriptionState::Active => DeliveryState::Pending,
            SubscriptionState::Paused => DeliveryState::Held,
            SubscriptionState::Deleted => DeliveryState::Cancelled,
        }),
        state => Ok(state),
    }
}

/// What a batch's attempts did to a subscription's activity.
struct Progress {
    /// Whether one succeeded, which ends the streak before it.
    succeeded: bool,
    /// Failed attempts since then.
    failed: u32,
    last_triggered_at: Timestamp,
}

impl Progress {
    fn new(attempt: &Attempt) -> Self {
        Self { succeeded: false, failed: 0, last_triggered_at: attempt.started_at }
    }

    fn add(&mut self, attempt: &Attempt) {
        self.last_triggered_at = self.last_triggered_at.max(attempt.started_at);
        match attempt.outcome {
            Outcome::Succeeded(_) => (self.succeeded, self.failed) = (true, 0),
            Outcome::Refused(_) | Outcome::Unreachable(_) | Outcome::PluginFailed(_) => self.failed += 1,
            // Nothing was tried on the receiver, so nothing is known of it.
            Outcome::Skipped(_) => {}
        }
    }
}

/// One row for each subscription, however many of its deliveries are in the batch.
fn write_activity(db: &Connection, activity: &HashMap<SubscriptionId, Progress>) -> Result<(), StoreError> {
    let mut upsert = db.prepare_cached(ACTIVITY)?;
    for (subscription, Progress { succeeded, failed, last_triggered_at }) in activity {
        upsert.execute(params![subscription.to_string(), succeeded, failed, micros(*last_triggered_at)])?;
    }
    Ok(())
}
