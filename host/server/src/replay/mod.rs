//! Replay: sends what a space received, or what failed of a subscription, to that subscription in order of acceptance.
//!
//! A replay is a row with a cursor ([`Replay`]). A step ([`step`]) reads a slice from the cursor on, decides what of it is
//! sent, and commits the deliveries together with the cursor: if the process dies between two steps, none is repeated. A
//! delivery of a replay is like any other, except that no delay and no batch apply to it.
//!
//! A step makes the deliveries of at most one second, each with its due time, so a replay that is canceled leaves few behind.
//! It makes none while [`BACKLOG_MAX`](step::BACKLOG_MAX) deliveries of the subscription are due, so a slow receiver does not
//! fill the database. A replay waits while the subscription is not active, or the space has used up its quota.
//!
//! What a replay examines is exact. It begins only when every event that the space began to accept before is committed
//! ([`Accepting`](crate::queues::Accepting)). The host reads the time of an event that is accepted later after that, so it is
//! not before `until`, which is not in the future. This relies on the clock not going backwards; if it does, an event of that
//! moment is matched with the subscription when it is accepted, as any other is.

mod request;
mod step;

use std::collections::HashSet;
use std::sync::Arc;

use hookmill_model::{Replay, ReplayId};
use hookmill_store::StoreError;
use jiff::{SignedDuration, Timestamp};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock::after;
use crate::host::Host;
pub use request::{
    DELIVERIES_PER_S_DEFAULT, DELIVERIES_PER_S_MAX, RUNNING_MAX, ReplayRequest, cancel, create, find, list,
};

/// Steps at once: each reads a slice in its space's turn and waits for the writer.
const STEPS_MAX: usize = 16;

/// The pause of the loop, or of a replay, after the store failed.
const STORE_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// Takes the steps of all replays, each when it is due, until `shutdown`.
pub async fn run(host: Arc<Host>, shutdown: CancellationToken) {
    let mut steps = Steps { host: host.clone(), running: JoinSet::new(), replays: HashSet::new() };
    // Nothing has reported the replays of an earlier start.
    host.replays.due(Timestamp::MIN);
    while !shutdown.is_cancelled() {
        if let Err(err) = steps.start().await {
            tracing::error!(error = &err as &dyn std::error::Error, "reading running replays failed");
            host.replays.due(after(host.clock.now(), STORE_PAUSE));
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = host.replays.rung(&host.clock) => {}
            Some(ended) = steps.running.join_next() => steps.ended(ended),
        }
    }
}

/// Takes all steps that are due now; returns how many. Tests step with it.
///
/// # Errors
/// If the store fails.
pub async fn run_once(host: &Host) -> Result<usize, StoreError> {
    let mut count = 0;
    loop {
        let now = host.clock.now();
        let due: Vec<Replay> = host.store.running_replays(STEPS_MAX).await?;
        let due: Vec<Replay> = due.into_iter().filter(|replay| replay.next_at <= now).collect();
        if due.is_empty() {
            return Ok(count);
        }
        for replay in due {
            step::step(host, replay).await?;
            count += 1;
        }
    }
}

/// The steps in progress, at most one of each replay.
struct Steps {
    host: Arc<Host>,
    running: JoinSet<ReplayId>,
    replays: HashSet<ReplayId>,
}

impl Steps {
    /// Starts the steps that are due, as far as there is room, and sets the alarm to the next one.
    async fn start(&mut self) -> Result<(), StoreError> {
        self.host.replays.forget();
        // Those in progress may be among them.
        for replay in self.host.store.running_replays(2 * STEPS_MAX).await? {
            if self.replays.len() == STEPS_MAX {
                // The next one that ends makes room.
                return Ok(());
            }
            if self.replays.contains(&replay.id) {
                continue;
            }
            if replay.next_at > self.host.clock.now() {
                self.host.replays.due(replay.next_at);
                return Ok(());
            }
            self.replays.insert(replay.id);
            let host = self.host.clone();
            self.running.spawn(async move { take(&host, replay).await });
        }
        Ok(())
    }

    /// Makes room after a step; its replay may have a next one.
    fn ended(&mut self, ended: Result<ReplayId, JoinError>) {
        // No step panics, nor is it aborted while the loop runs. If one did panic, its replay would never go on.
        let id = ended.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()));
        self.replays.remove(&id);
        self.host.replays.due(Timestamp::MIN);
    }
}

/// Takes a step. After a failure, which is logged, the replay rests.
async fn take(host: &Host, replay: Replay) -> ReplayId {
    let id = replay.id;
    if let Err(err) = step::step(host, replay).await {
        tracing::error!(replay.id = %id, error = &err as &dyn std::error::Error, "a replay's step failed");
        host.clock.sleep_until(after(host.clock.now(), STORE_PAUSE)).await;
    }
    id
}
