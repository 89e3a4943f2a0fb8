//! Deliver: the loop that knows the order transform → sign → send → record.
//!
//! It takes what is due, from the inbox or from rows, lets each subscription's deliveries wait in a lane of their own,
//! and starts an attempt ([`attempt`]) for each as there is room.
//!
//! It never polls. It sleeps until a delivery is pushed, an attempt ends, or the next row is due; the last it learns
//! from whoever writes such a row ([`Alarm::due`](crate::queues::Alarm::due)) and, after fetching rows, from the store. Forgetting the known due
//! time *before* asking the store is what keeps a row written meanwhile from being overslept.

mod attempt;
mod finish;
mod lanes;
mod repeat;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::host::Host;
use crate::queues::Leased;
use hookmill_model::{Delivery, DeliveryId, SubscriptionId};
use hookmill_store::StoreError;

use finish::FinishedAttempt;
use lanes::Lanes;
pub use repeat::{MOVED, may_repeat};

/// Rows fetched at a time: many enough that a backlog is not paid for row by row.
const CLAIM_MAX: usize = 256;

/// How long the loop leaves a failing store alone.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The loop.
pub struct Deliver {
    host: Arc<Host>,
    lanes: Lanes,
    attempts: JoinSet<(SubscriptionId, Option<FinishedAttempt>)>,
    /// Attempts that were made while others are being recorded.
    made: Vec<FinishedAttempt>,
    /// The one recording that is under way, and of how many attempts.
    recording: JoinSet<()>,
    recording_len: usize,
}

impl Deliver {
    /// A loop over this host's deliveries.
    pub fn new(host: Arc<Host>) -> Self {
        let lanes = Lanes::new(&host.config.deliver);
        Self { host, lanes, attempts: JoinSet::new(), made: Vec::new(), recording: JoinSet::new(), recording_len: 0 }
    }

    /// Delivers until `shutdown`; then finishes what is in flight, as long as the grace period lasts, and hands the
    /// rest back to its rows.
    pub async fn run(mut self, shutdown: CancellationToken) {
        // Rows from before this start: nothing told us when they are due.
        self.host.inbox.alarm().due(Timestamp::MIN);
        while !shutdown.is_cancelled() {
            self.step().await;
            let next_due = self.host.inbox.alarm().next_due().filter(|_| self.host.inbox.free() > 0);
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.host.inbox.alarm().changed() => {}
                Some(ended) = self.attempts.join_next() => self.attempted(ended),
                Some(ended) = self.recording.join_next() => self.recorded(ended),
                () = sleep_until(&self.host, next_due) => {}
            }
            while let Some(ended) = self.attempts.try_join_next() {
                self.attempted(ended);
            }
        }
        self.drain().await;
    }

    /// Delivers all that is due now and returns when nothing of it is left: how tests step.
    pub async fn run_once(&mut self) {
        self.host.inbox.alarm().due(Timestamp::MIN);
        loop {
            self.step().await;
            if !self.ended().await {
                return;
            }
        }
    }

    /// Takes in what is there and starts what can be started.
    async fn step(&mut self) {
        let mut overflow = Vec::new();
        for leased in self.host.inbox.arrivals() {
            overflow.extend(self.lanes.push(leased));
        }
        let now = self.host.clock.now();
        let due = self.host.inbox.alarm().next_due().is_some_and(|due| due <= now) && self.host.inbox.free() > 0;
        if due && let Err(err) = self.fetch(now, &mut overflow).await {
            self.store_failed("fetching due deliveries", &err);
        }
        if !overflow.is_empty() {
            self.hand_back(overflow).await;
        }
        self.record();
        // What is not recorded yet would be sent again after a crash: it counts as in flight.
        while self.lanes.in_flight() + self.made.len() + self.recording_len < self.host.config.deliver.in_flight_max
            && let Some(leased) = self.lanes.start()
        {
            self.start(leased.delivery);
        }
    }

    /// Records what was made meanwhile, unless others are being recorded.
    fn record(&mut self) {
        if self.made.is_empty() || !self.recording.is_empty() {
            return;
        }
        let (host, made) = (self.host.clone(), std::mem::take(&mut self.made));
        self.recording_len = made.len();
        self.recording.spawn(async move { finish::record_all(&host, made).await });
    }

    /// Fetches due rows into the lanes.
    async fn fetch(&mut self, now: Timestamp, overflow: &mut Vec<Leased>) -> Result<(), StoreError> {
        let Host { store, inbox, .. } = &*self.host;
        inbox.alarm().forget();
        let except = self.lanes.full();
        let limit = inbox.free().min(CLAIM_MAX);
        let leased = store.lease_due(now, self.host.lease_until(now), limit, &except).await?;
        let more = leased.len() == limit;
        for delivery in leased {
            let reservation = inbox.take(delivery.bytes());
            overflow.extend(self.lanes.push(Leased { delivery, reservation }));
        }
        let next = if more { Some(now) } else { store.next_due(&self.lanes.full()).await? };
        next.into_iter().for_each(|next| inbox.alarm().due(next));
        Ok(())
    }

    fn start(&mut self, delivery: Delivery) {
        let host = self.host.clone();
        self.attempts.spawn(async move {
            let subscription = delivery.subscription_id;
            (subscription, attempt::attempt(&host, delivery).await)
        });
    }

    /// Waits until an attempt or a recording ends; false if there is none.
    async fn ended(&mut self) -> bool {
        tokio::select! {
            Some(ended) = self.attempts.join_next() => self.attempted(ended),
            Some(ended) = self.recording.join_next() => self.recorded(ended),
            else => return false,
        }
        true
    }

    fn recorded(&mut self, ended: Result<(), JoinError>) {
        ended.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()));
        self.recording_len = 0;
    }

    fn attempted(&mut self, ended: Result<(SubscriptionId, Option<FinishedAttempt>), JoinError>) {
        // An attempt's task neither panics nor is aborted while the loop runs; if it did panic, its lane would lose
        // one place, so that is passed on and ends the host.
        let (id, made) = ended.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()));
        self.made.extend(made);
        if self.lanes.finished(id) {
            self.host.inbox.alarm().due(self.host.clock.now());
        }
    }

    async fn hand_back(&self, leased: Vec<Leased>) {
        let leases: Vec<(DeliveryId, Timestamp)> =
            leased.iter().filter_map(|leased| Some((leased.delivery.id, leased.delivery.leased_until?))).collect();
        if let Err(err) = self.host.store.hand_back(leases).await {
            // The claims lapse by themselves.
            self.store_failed("handing deliveries back", &err);
        }
    }

    fn store_failed(&self, doing: &str, err: &StoreError) {
        tracing::error!(error = err as &dyn std::error::Error, "{doing} failed");
        let now = self.host.clock.now();
        self.host.inbox.alarm().due(now.checked_add(STORE_PAUSE).unwrap_or(now));
    }

    async fn drain(mut self) {
        let waiting = self.lanes.drain();
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
            // Their claims end with the next start; the receivers may see them again.
            let cut_off = self.attempts.len() + self.made.len() + self.recording_len;
            tracing::warn!(cut_off, "the grace period is over");
        }
    }
}

/// Until `due`; for ever if there is none.
async fn sleep_until(host: &Host, due: Option<Timestamp>) {
    match due {
        Some(due) => host.clock.sleep_until(due).await,
        None => std::future::pending().await,
    }
}
