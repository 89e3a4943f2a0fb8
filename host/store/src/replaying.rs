//! The store of replays.

use std::sync::Arc;

use async_trait::async_trait;
use hookmill_model::{Event, Pattern, Replay, ReplayId, ReplayState, ReplayWhat, SpaceId, SubscriptionId};
use jiff::Timestamp;

use super::{ListPart, StoreError};

/// A replay to be created.
#[derive(Clone, Debug)]
pub struct NewReplay {
    /// Its space.
    pub space: SpaceId,
    /// The subscription that it sends to.
    pub subscription_id: SubscriptionId,
    /// What it sends.
    pub what: ReplayWhat,
    /// The events accepted at or after this time.
    pub since: Timestamp,
    /// The events accepted before this time.
    pub until: Timestamp,
    /// The events of these types; none for all.
    pub event_types: Option<Vec<Pattern>>,
    /// The events for which this CEL expression is true; none for all.
    pub condition: Option<String>,
    /// Only events of which the subscription has no delivery.
    pub only_missing: bool,
    /// The most deliveries that it makes in a second.
    pub deliveries_per_s: u32,
    /// Now.
    pub created_at: Timestamp,
}

/// What a replay examines next, in order of acceptance.
#[derive(Clone, Debug)]
pub struct ReplaySlice {
    /// The events; of failed deliveries, the first events.
    pub entries: Vec<ReplayEntry>,
    /// The key to continue with after all of them.
    pub next: i64,
    /// The subscription's pending deliveries that are due, as far as they were counted.
    pub backlog: usize,
}

/// An event or a failed delivery that a replay examines.
#[derive(Clone, Debug)]
pub struct ReplayEntry {
    /// The key of the event or of the delivery.
    pub key: i64,
    /// The event; of a delivery, the first.
    pub event: Arc<Event>,
}

/// A step of a replay: what it sends of the slice that it examined.
#[derive(Clone, Debug)]
pub struct ReplayStep {
    /// The replay.
    pub id: ReplayId,
    /// The cursor that it read the slice from.
    pub from: i64,
    /// Its next cursor.
    pub to: i64,
    /// The number of entries that were examined.
    pub examined: u64,
    /// When the last of their events was accepted.
    pub reached_at: Option<Timestamp>,
    /// The keys of the entries to send, each with the time at which it is due.
    pub send: Vec<(i64, Timestamp)>,
    /// When the next step is due.
    pub next_at: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// The persistent state of replays.
#[async_trait]
pub trait ReplayStore: Send + Sync + 'static {
    /// Creates a replay, unless `running_max` of the space are running. Of those of the subscription that have ended, the last
    /// `ended_max` are kept.
    async fn create_replay(
        &self,
        new: NewReplay,
        running_max: usize,
        ended_max: usize,
    ) -> Result<Option<Replay>, StoreError>;

    /// Returns a subscription's replays, newest first, older than `before`.
    async fn replays(
        &self,
        space: &SpaceId,
        subscription: SubscriptionId,
        before: Option<ReplayId>,
        limit: usize,
    ) -> Result<ListPart<Replay, ReplayId>, StoreError>;

    /// Returns a replay of a subscription.
    async fn replay(
        &self,
        space: &SpaceId,
        subscription: SubscriptionId,
        id: ReplayId,
    ) -> Result<Option<Replay>, StoreError>;

    /// Returns the running replays whose next steps are due first.
    async fn running_replays(&self, limit: usize) -> Result<Vec<Replay>, StoreError>;

    /// Determines the keys that a replay examines. Events accepted before its `until` must be committed by now. None if it is
    /// no longer running.
    async fn begin_replay(&self, replay: &Replay, now: Timestamp) -> Result<Option<Replay>, StoreError>;

    /// Returns what a replay examines next, up to `limit` entries, and counts the deliveries that are due at `now`, up to
    /// `backlog_max`. It leaves out test events, and failed deliveries that failed after the replay was requested.
    async fn replay_slice(
        &self,
        replay: &Replay,
        limit: usize,
        now: Timestamp,
        backlog_max: usize,
    ) -> Result<ReplaySlice, StoreError>;

    /// Commits a step's deliveries together with the cursor, unless the replay has ended or is elsewhere by now; returns how
    /// many there are. The step that reaches the end ends the replay. What was deleted in the meantime is left out, and so is
    /// what the subscription has already, if only that is wanted which it has not.
    async fn step_replay(&self, step: ReplayStep) -> Result<u64, StoreError>;

    /// Delays the next step of a replay, for this reason, if it is running.
    async fn delay_replay(
        &self,
        id: ReplayId,
        until: Timestamp,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Ends a replay in this state, for this reason, if it is running.
    async fn end_replay(
        &self,
        id: ReplayId,
        state: ReplayState,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
