//! Deliver: the loop that knows the order transform → sign → send → record.
//!
//! It takes what is due from the inbox or from rows ([`fetch`]), lets each subscription's deliveries wait in their own lane
//! ([`lanes`]), and starts an attempt ([`attempt`]) for each as there is room. A delivery whose plugin is still being
//! compiled ([`preparing`]) holds its own lane and nothing else.
//!
//! It never polls. It sleeps until a delivery is pushed, a task ends, or the next row is due. It learns that time from
//! whatever writes such a row ([`Alarm::due`](crate::queues::Alarm::due)) and, after fetching rows, from the store. It
//! forgets the known time *before* it asks the store, so that a row written meanwhile is not missed.

mod attempt;
mod fetch;
mod finish;
mod lane;
mod lanes;
mod preparing;
mod repeat;

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use hookmill_model::{Delivery, DeliveryId, SpaceId, SubscriptionId};
use hookmill_store::StoreError;
use jiff::Timestamp;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::host::Host;
use crate::queues::Leased;
use fetch::Fetched;
use finish::FinishedAttempt;
use lane::Ended;
use lanes::Lanes;
use preparing::Preparing;
pub use repeat::{MOVED, may_repeat};

/// How long the loop waits after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Attempts that are recorded together, or deliveries that are handed back: others' commits wait for them, some
/// milliseconds, so they are fewer while several spaces commit. Many of them end at once when their receivers hang.
const COMMIT_MAX: usize = 128;

/// The loop.
pub struct Deliver {
    host: Arc<Host>,
    lanes: Lanes,
    preparing: Preparing,
    /// The step of a fetch in progress, if there is one.
    fetching: JoinSet<Fetched>,
    /// Fetched deliveries for which their lanes have no room.
    overflow: Vec<Leased>,
    attempts: JoinSet<(SubscriptionId, Option<FinishedAttempt>)>,
    /// Attempts that ended while others are being recorded.
    unrecorded: Vec<FinishedAttempt>,
    /// The recording in progress, if there is one, and the space of each of its attempts.
    recording: JoinSet<()>,
    recording_of: Vec<SpaceId>,
}

impl Deliver {
    /// A loop over this host's deliveries.
    pub fn new(host: Arc<Host>) -> Self {
        Self {
            lanes: Lanes::new(&host.config.deliver),
            preparing: Preparing::new(),
            host,
            fetching: JoinSet::new(),
            overflow: Vec::new(),
            attempts: JoinSet::new(),
            unrecorded: Vec::new(),
            recording: JoinSet::new(),
            recording_of: Vec::new(),
        }
    }

    /// Delivers until `shutdown`; then finishes what is in flight, as long as the grace period lasts, and hands the
    /// rest back to its rows.
    pub async fn run(mut self, shutdown: CancellationToken) {
        // Nothing has reported when the rows of an earlier start are due.
        self.host.inbox.alarm().due(Timestamp::MIN);
        while !shutdown.is_cancelled() {
            self.step().await;
            let host = Arc::clone(&self.host);
            let may_fetch = !host.inbox.is_full() && self.fetching.is_empty();
            let next_due = host.inbox.alarm().next_due().filter(|_| may_fetch);
            let next_due = next_due.into_iter().chain(self.lanes.next_wake()).min();
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = host.inbox.alarm().changed() => {}
                true = self.ended() => {}
                () = sleep_until(&host, next_due) => {}
            }
            while let Some(ended) = self.attempts.try_join_next() {
                self.attempted(ended);
            }
        }
        self.drain().await;
    }

    /// Delivers all that is due now, and returns when nothing of it is left: tests step the loop with it.
    pub async fn run_once(&mut self) {
        self.host.inbox.alarm().due(Timestamp::MIN);
        loop {
            self.step().await;
            if !self.ended().await {
                return;
            }
        }
    }

    /// Takes in what has arrived or is due, and starts what can be started.
    async fn step(&mut self) {
        loop {
            let now = self.host.clock.now();
            if self.lanes.wake(now) {
                self.host.inbox.alarm().due(now);
            }
            self.take_in().await;
            self.start_all();
            let paced = self.lanes.empty_paced();
            if !paced.is_empty() {
                self.hand_back(paced).await;
            }
            // What waits for a compiler must not fill the memory that other subscriptions need.
            let held = self.lanes.empty_held(&self.host.inbox);
            if held.is_empty() {
                return;
            }
            self.hand_back(held).await;
            // What others of the space have in rows may be fetched now.
            self.host.inbox.alarm().due(self.host.clock.now());
        }
    }

    async fn take_in(&mut self) {
        for leased in self.host.inbox.arrivals() {
            self.overflow.extend(self.lanes.push(leased));
        }
        let now = self.host.clock.now();
        let due = self.host.inbox.alarm().next_due().is_some_and(|due| due <= now);
        if due && self.fetching.is_empty() && !self.host.inbox.is_full() {
            self.fetch();
        }
        if !self.overflow.is_empty() {
            let overflow = std::mem::take(&mut self.overflow);
            self.hand_back(overflow).await;
        }
    }

    fn start_all(&mut self) {
        self.record();
        while let Some(leased) = self.lanes.start(|delivery| self.preparing.check(&self.host, delivery)) {
            self.start(leased.delivery);
        }
    }

    /// Records the attempts that ended, unless others are being recorded.
    fn record(&mut self) {
        if self.unrecorded.is_empty() || !self.recording.is_empty() {
            return;
        }
        let now = self.host.clock.now();
        let at_once = self.host.commits.at_once(COMMIT_MAX, now);
        let mut rows = 0;
        let together = self.unrecorded.iter().take_while(|attempt| {
            let first = rows == 0;
            rows += attempt.rows();
            first || rows <= at_once
        });
        let together = together.count();
        let rest = self.unrecorded.split_off(together);
        let (host, attempts) = (self.host.clone(), std::mem::replace(&mut self.unrecorded, rest));
        self.recording_of = attempts.iter().map(|attempt| attempt.compiled.subscription.space.clone()).collect();
        self.recording_of.iter().for_each(|space| self.host.commits.by(space, now));
        self.recording.spawn(async move { finish::record_all(&host, attempts).await });
    }

    fn start(&mut self, delivery: Delivery) {
        if let Some(digest) = self.preparing.failed(&self.host, &delivery) {
            let now = self.host.clock.now();
            let err = anyhow!("its plugin {digest} could not be prepared");
            finish::given_up(&self.host, delivery.id, delivery.leased_until.unwrap_or(now), &err);
            self.finished(delivery.subscription_id, Ended::Otherwise);
            return;
        }
        let host = self.host.clone();
        self.attempts.spawn(async move {
            let subscription = delivery.subscription_id;
            (subscription, attempt::attempt(&host, delivery).await)
        });
    }

    /// Waits until an attempt, a recording, a step of a fetch or the preparing of a plugin ends; false if there is none.
    async fn ended(&mut self) -> bool {
        tokio::select! {
            Some(ended) = self.attempts.join_next() => self.attempted(ended),
            Some(ended) = self.recording.join_next() => self.recorded(ended),
            Some(ended) = self.fetching.join_next() => self.fetched(ended),
            Some(ended) = self.preparing.join_next() => self.prepared(ended),
            else => return false,
        }
        true
    }

    // No task panics, nor is it aborted while the loop runs. If one did panic, its lane would lose a place, so the panic
    // is passed on and ends the host.

    fn recorded(&mut self, ended: Result<(), JoinError>) {
        ended.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()));
        for space in std::mem::take(&mut self.recording_of) {
            self.lanes.recorded(&space);
        }
    }

    fn prepared(&mut self, ended: Result<preparing::Ended, JoinError>) {
        let ended = ended.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()));
        for id in self.preparing.ended(&self.host, ended) {
            if self.lanes.release(id) {
                self.host.inbox.alarm().due(self.host.clock.now());
            }
        }
    }

    fn attempted(&mut self, ended: Result<(SubscriptionId, Option<FinishedAttempt>), JoinError>) {
        let (id, attempt) = ended.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()));
        let ended = attempt.as_ref().map_or(Ended::Otherwise, FinishedAttempt::ended);
        if let Some(attempt) = attempt {
            self.lanes.unrecorded(&attempt.compiled.subscription.space);
            self.unrecorded.push(attempt);
        }
        self.finished(id, ended);
    }

    fn finished(&mut self, id: SubscriptionId, ended: Ended) {
        if self.lanes.finished(id, ended) {
            self.host.inbox.alarm().due(self.host.clock.now());
        }
    }

    async fn hand_back(&self, leased: Vec<Leased>) {
        let leases: Vec<(DeliveryId, Timestamp)> =
            leased.iter().filter_map(|leased| Some((leased.delivery.id, leased.delivery.leased_until?))).collect();
        for leases in leases.chunks(COMMIT_MAX) {
            if let Err(err) = self.host.store.hand_back(leases.to_vec()).await {
                // Their leases expire.
                self.store_failed("handing deliveries back", &err);
            }
        }
    }

    fn store_failed(&self, doing: &str, err: &StoreError) {
        tracing::error!(error = err as &dyn std::error::Error, "{doing} failed");
        let now = self.host.clock.now();
        self.host.inbox.alarm().due(now.checked_add(STORE_PAUSE).unwrap_or(now));
    }

    async fn drain(mut self) {
        self.preparing.stop();
        // Rows that are being leased are handed back too.
        if let Some(Ok(Fetched::Leased(Ok(rows)))) = self.fetching.join_next().await {
            self.leased(rows);
        }
        let mut waiting = self.lanes.drain();
        waiting.append(&mut self.overflow);
        let (in_flight, handed_back) = (self.lanes.in_flight(), waiting.len());
        tracing::info!(in_flight, handed_back, "draining");
        let arrived = self.host.inbox.arrivals();
        self.hand_back(waiting.into_iter().chain(arrived).collect()).await;
        let grace = Duration::from_secs(self.host.config.deliver.grace_s);
        let all = async {
            loop {
                self.record();
                if !self.ended().await {
                    return;
                }
            }
        };
        if tokio::time::timeout(grace, all).await.is_err() {
            // Their leases end with the next start; the receivers may see them again.
            let cut_off = self.attempts.len() + self.unrecorded.len() + self.recording_of.len();
            tracing::warn!(cut_off, "grace period exceeded");
        }
    }
}

/// Sleeps until `due`; indefinitely if there is none.
async fn sleep_until(host: &Host, due: Option<Timestamp>) {
    match due {
        Some(due) => host.clock.sleep_until(due).await,
        None => std::future::pending().await,
    }
}
