//! Recording: what came of a claimed delivery, if it is still as the claim left it.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, Row, params};

use super::super::{PluginRun, Record, Recorded, StoreError};
use super::row::micros;
use super::{attempts, notices, pinned, subscriptions};
use hookmill_model::{Attempt, DeliveryState, Outcome, PauseReason, PluginFault, SubscriptionId, SubscriptionState};

/// The compare-and-set that all correctness rests on.
pub(super) const FINISH: &str = "
    UPDATE deliveries
    SET state = ?3, attempts = coalesce(?4, attempts), due_at = ?5, leased_until = NULL, ready_at = ?5,
        completed_at = ?6, reason = ?7, verbatim = iif(?6 IS NULL, verbatim, 0)
    WHERE id = ?1 AND state = 'pending' AND leased_until = ?2";

/// The same where a pinned goes with the end. Apart, since writing a column that refers to another table makes SQLite
/// keep a journal of the statement, which nearly no delivery needs.
pub(super) const FINISH_WITH_SETUP: &str = "
    UPDATE deliveries
    SET state = ?3, attempts = coalesce(?4, attempts), due_at = ?5, leased_until = NULL, ready_at = ?5,
        completed_at = ?6, reason = ?7, verbatim = iif(?6 IS NULL, verbatim, 0), pinned = iif(?6 IS NULL, pinned, NULL)
    WHERE id = ?1 AND state = 'pending' AND leased_until = ?2";

const ACTIVITY: &str = "
    INSERT INTO subscription_activity (
        subscription, failure_streak, failed_deliveries, last_triggered_at, plugin_failures
    )
    VALUES (?1, ?3, ?5, ?4, ?7)
    ON CONFLICT (subscription) DO UPDATE SET
        failure_streak = ?3 + iif(?2, 0, failure_streak), failed_deliveries = ?5 + iif(?2, 0, failed_deliveries),
        last_triggered_at = max(last_triggered_at, ?4), plugin_failures = ?7 + iif(?6, 0, plugin_failures)
    RETURNING failed_deliveries, plugin_failures";

/// See [`Store::record`](super::super::Store::record).
pub(super) fn record(db: &Connection, records: &[Record]) -> Result<Vec<Recorded>, StoreError> {
    let mut finish = (db.prepare_cached(FINISH)?, db.prepare_cached(FINISH_WITH_SETUP)?);
    let mut recorded = Vec::with_capacity(records.len());
    for record in records {
        recorded.push(write(db, &mut finish, record)?);
    }
    for (index, progress) in progress(records, &recorded) {
        let last = &records[index];
        let activity = write_activity(db, last.subscription_id, &progress)?;
        // It may be paused already, by this very record.
        if let Some((reason, detail)) = progress.pauses(last, activity)
            && pause(db, last, reason, &detail)?
        {
            recorded[index] = Recorded::Written { paused: true };
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
fn progress<'a>(records: &'a [Record], recorded: &[Recorded]) -> Vec<(usize, Progress<'a>)> {
    let mut of: HashMap<SubscriptionId, (usize, Progress<'a>)> = HashMap::new();
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
fn write<'db>(
    db: &'db Connection,
    (finish, finish_with_pinned): &mut (CachedStatement<'db>, CachedStatement<'db>),
    record: &Record,
) -> Result<Recorded, StoreError> {
    let state = state_now(db, record)?;
    let finish = if record.pinned.is_some() { finish_with_pinned } else { finish };
    let updated = finish.execute(params![
        record.delivery_id.to_string(),
        micros(record.leased_until),
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
    if let Some(pinned) = &record.pinned {
        if state.is_final() {
            pinned::drop_if_unused(db, pinned)?;
        } else {
            pinned::keep(db, record.delivery_id, pinned)?;
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
struct Progress<'a> {
    /// Whether one succeeded, which ends the streaks before it.
    succeeded: bool,
    /// Failed attempts since then.
    failed: u32,
    /// Failed deliveries since then.
    failed_deliveries: u32,
    /// How many failed deliveries in a row pause it.
    pause_after: Option<u32>,
    /// Whether its plugin worked in one, which ends the streak before it.
    plugin_worked: bool,
    /// Failures of its plugin since then.
    plugin_failed: u32,
    /// How the plugin failed last.
    plugin_fault: Option<&'a PluginFault>,
    /// How many failures of its plugin in a row pause it.
    pause_after_plugin: Option<u32>,
    last_triggered_at: Timestamp,
}

impl<'a> Progress<'a> {
    fn new(attempt: &Attempt) -> Self {
        Self {
            succeeded: false,
            failed: 0,
            failed_deliveries: 0,
            pause_after: None,
            plugin_worked: false,
            plugin_failed: 0,
            plugin_fault: None,
            pause_after_plugin: None,
            last_triggered_at: attempt.started_at,
        }
    }

    fn add(&mut self, record: &Record, attempt: &'a Attempt) {
        self.add_plugin(record, attempt);
        self.last_triggered_at = self.last_triggered_at.max(attempt.started_at);
        self.pause_after = record.pause_after;
        match attempt.outcome {
            Outcome::Succeeded(_) => (self.succeeded, self.failed, self.failed_deliveries) = (true, 0, 0),
            Outcome::Rejected(_) | Outcome::Unreachable(_) | Outcome::PluginFailed(_) => {
                self.failed += 1;
                self.failed_deliveries += u32::from(record.state == DeliveryState::Failed);
            }
            // Nothing was tried on the receiver, so nothing is known of it.
            Outcome::Skipped(_) => {}
        }
    }

    fn add_plugin(&mut self, record: &Record, attempt: &'a Attempt) {
        let Some(PluginRun { failed, pause_after }) = record.plugin else { return };
        self.pause_after_plugin = pause_after;
        if failed {
            self.plugin_failed += 1;
            self.plugin_fault = attempt.fault_of_plugin();
        } else {
            (self.plugin_worked, self.plugin_failed) = (true, 0);
        }
    }

    /// Why the subscription is paused now, if it is, and what led to that.
    fn pauses(
        &self,
        last: &Record,
        InARow { failed_deliveries, plugin_failures }: InARow,
    ) -> Option<(PauseReason, String)> {
        let too_many =
            |failed, in_a_row, pause_after: Option<u32>| failed > 0 && pause_after.is_some_and(|max| in_a_row >= max);
        if too_many(self.plugin_failed, plugin_failures, self.pause_after_plugin) {
            let fault = self.plugin_fault.map_or("", |fault| &fault.message);
            let detail = format!("the plugin failed {plugin_failures} times in a row, the last time: {fault}");
            return Some((PauseReason::PluginFailures, detail));
        }
        if too_many(self.failed_deliveries, failed_deliveries, self.pause_after) {
            let reason = last.reason.as_deref().unwrap_or_default();
            let failures = self.pause_after.unwrap_or_default();
            let detail = format!("{failures} deliveries in a row failed, the last because {reason}");
            return Some((PauseReason::Failures, detail));
        }
        None
    }
}

/// What a subscription's activity counts, once it is written.
#[derive(Clone, Copy)]
struct InARow {
    failed_deliveries: u32,
    plugin_failures: u32,
}

/// Writes a subscription's activity.
fn write_activity(
    db: &Connection,
    subscription: SubscriptionId,
    progress: &Progress<'_>,
) -> Result<InARow, StoreError> {
    let parameters = params![
        subscription.to_string(),
        progress.succeeded,
        progress.failed,
        micros(progress.last_triggered_at),
        progress.failed_deliveries,
        progress.plugin_worked,
        progress.plugin_failed,
    ];
    let in_a_row = |row: &Row<'_>| Ok(InARow { failed_deliveries: row.get(0)?, plugin_failures: row.get(1)? });
    Ok(db.prepare_cached(ACTIVITY)?.query_row(parameters, in_a_row)?)
}
