//! Recording: what came of a claimed delivery, if it is still as the claim left it.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, params};

use super::super::{Record, Recorded, StoreError};
use super::row::micros;
use super::{attempts, notices, setups, subscriptions};
use crate::model::{Attempt, DeliveryState, Outcome, PauseReason, SubscriptionId, SubscriptionState};

/// The compare-and-set that all correctness rests on.
pub(super) const FINISH: &str = "
    UPDATE deliveries
    SET state = ?3, attempts = coalesce(?4, attempts), due_at = ?5, claimed_until = NULL, ready_at = ?5,
        completed_at = ?6, reason = ?7,
        exact = iif(?6 IS NULL, exact, 0), setup = iif(?6 IS NULL, setup, NULL)
    WHERE id = ?1 AND state = 'pending' AND claimed_until = ?2";

const ACTIVITY: &str = "
    INSERT INTO subscription_activity (subscription, failure_streak, failed_deliveries, last_triggered_at)
    VALUES (?1, ?3, ?5, ?4)
    ON CONFLICT (subscription) DO UPDATE SET
        failure_streak = ?3 + iif(?2, 0, failure_streak), failed_deliveries = ?5 + iif(?2, 0, failed_deliveries),
        last_triggered_at = max(last_triggered_at, ?4)
    RETURNING failed_deliveries";

/// See [`Store::record`](super::super::Store::record).
pub(super) fn record(db: &Connection, records: &[Record]) -> Result<Vec<Recorded>, StoreError> {
    let mut finish = db.prepare_cached(FINISH)?;
    let mut recorded = Vec::with_capacity(records.len());
    for record in records {
        recorded.push(write(db, &mut finish, record)?);
    }
    for (last, progress) in progress(records, &recorded) {
        if write_activity(db, records[last].subscription_id, &progress)? {
            let failures = progress.pause_after.unwrap_or_default();
            let reason = records[last].reason.as_deref().unwrap_or_default();
            let detail = format!("{failures} deliveries in a row failed, the last because {reason}");
            // It may be paused already, by this very record.
            if pause(db, &records[last], PauseReason::Failures, &detail)? {
                recorded[last] = Recorded::Written { paused: true };
            }
        }
    }
    Ok(recorded)
}

/// Pauses the record's subscription and has that told, if it is active; true if it was.
fn pause(db: &Connection, record: &Record, reason: PauseReason, detail: &str) -> Result<bool, StoreError> {
    let paused = subscriptions::pause(db, record.subscription_id, reason, detail)?;
    if paused {
        notices::paused(db, record, reason, detail)?;
    }
    Ok(paused)
}

/// What the written attempts did to their subscriptions' activity: one for each, with the index of its last record,
/// however many there are. Tests do nothing.
fn progress(records: &[Record], recorded: &[Recorded]) -> Vec<(usize, Progress)> {
    let mut of: HashMap<SubscriptionId, (usize, Progress)> = HashMap::new();
    for (index, (record, recorded)) in records.iter().zip(recorded).enumerate() {
        let Some(attempt) = record.attempt.as_ref().filter(|_| !record.test && *recorded != Recorded::Stale) else {
            continue;
        };
        let (last, progress) = of.entry(record.subscription_id).or_insert_with(|| (index, Progress::new(attempt)));
        *last = index;
        progress.add(record, attempt);
    }
    of.into_values().collect()
}

/// Writes nothing if the delivery is not as the claim left it.
fn write(db: &Connection, finish: &mut CachedStatement<'_>, record: &Record) -> Result<Recorded, StoreError> {
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
        return Ok(Recorded::Stale);
    }
    if let Some(attempt) = &record.attempt {
        attempts::insert(db, attempt)?;
    }
    if let Some(setup) = &record.setup {
        if state.is_final() {
            setups::drop_if_unused(db, setup)?;
        } else {
            setups::keep(db, record.delivery_id, setup)?;
        }
    }
    notices::follow(db, record, state)?;
    let paused = match record.pause {
        Some(reason) => pause(db, record, reason, record.reason.as_deref().unwrap_or_default())?,
        None => false,
    };
    Ok(Recorded::Written { paused })
}

/// The state that holds by now. Whoever held the delivery saw its subscription paused, a moment ago: had it been
/// activated or deleted since, nothing would ever move the delivery again.
fn state_now(db: &Connection, record: &Record) -> Result<DeliveryState, StoreError> {
    match record.state {
        DeliveryState::Held => Ok(match subscriptions::state(db, record.subscription_id)? {
            SubscriptionState::Active => DeliveryState::Pending,
            SubscriptionState::Draft | SubscriptionState::Verifying | SubscriptionState::Paused => DeliveryState::Held,
            SubscriptionState::Deleted => DeliveryState::Cancelled,
        }),
        state => Ok(state),
    }
}

/// What a batch's attempts did to a subscription's activity.
struct Progress {
    /// Whether one succeeded, which ends the streaks before it.
    succeeded: bool,
    /// Failed attempts since then.
    failed: u32,
    /// Failed deliveries since then.
    failed_deliveries: u32,
    /// How many failed deliveries in a row pause it.
    pause_after: Option<u32>,
    last_triggered_at: Timestamp,
}

impl Progress {
    fn new(attempt: &Attempt) -> Self {
        let last_triggered_at = attempt.started_at;
        Self { succeeded: false, failed: 0, failed_deliveries: 0, pause_after: None, last_triggered_at }
    }

    fn add(&mut self, record: &Record, attempt: &Attempt) {
        self.last_triggered_at = self.last_triggered_at.max(attempt.started_at);
        self.pause_after = record.pause_after;
        match attempt.outcome {
            Outcome::Succeeded(_) => (self.succeeded, self.failed, self.failed_deliveries) = (true, 0, 0),
            Outcome::Refused(_) | Outcome::Unreachable(_) | Outcome::PluginFailed(_) => {
                self.failed += 1;
                self.failed_deliveries += u32::from(record.state == DeliveryState::Failed);
            }
            // Nothing was tried on the receiver, so nothing is known of it.
            Outcome::Skipped(_) => {}
        }
    }
}

/// Writes a subscription's activity; true if it has failed as often as it may.
fn write_activity(db: &Connection, subscription: SubscriptionId, progress: &Progress) -> Result<bool, StoreError> {
    let Progress { succeeded, failed, failed_deliveries, pause_after, last_triggered_at } = progress;
    let parameters =
        params![subscription.to_string(), succeeded, failed, micros(*last_triggered_at), failed_deliveries];
    let in_a_row: u32 = db.prepare_cached(ACTIVITY)?.query_row(parameters, |row| row.get(0))?;
    Ok(*failed_deliveries > 0 && pause_after.is_some_and(|pause_after| in_a_row >= pause_after))
}
