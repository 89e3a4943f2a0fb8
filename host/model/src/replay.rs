//! A replay: what a space received, or what failed, sent to a subscription in order of acceptance.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Pattern, ReplayId, SpaceId, SubscriptionId};

/// What a replay sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayWhat {
    /// Events of the space, each as a new delivery.
    #[default]
    Events,
    /// Failed deliveries of the subscription, each again.
    Failed,
}

/// The state of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    /// It makes deliveries, or waits until it may.
    Running,
    /// It has examined everything.
    Done,
    /// A caller canceled it.
    Cancelled,
    /// It could not go on.
    Failed,
}

/// A replay, with its progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Its id.
    pub id: ReplayId,
    /// Its space.
    pub space: SpaceId,
    /// The subscription that it sends to.
    pub subscription_id: SubscriptionId,
    /// What it sends.
    pub what: ReplayWhat,
    /// Its state.
    pub state: ReplayState,
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
    /// The key that it began with.
    pub first_key: i64,
    /// The next key that it examines.
    pub cursor: i64,
    /// It examines no key from here on; none until all events accepted before `until` are committed.
    pub end_key: Option<i64>,
    /// Events or failed deliveries that it examined so far.
    pub examined: u64,
    /// Deliveries that it made or sent again so far.
    pub deliveries: u64,
    /// When the last event that it examined was accepted.
    pub reached_at: Option<Timestamp>,
    /// When its next step is due; no delivery is due before.
    pub next_at: Timestamp,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Why it waits or failed.
    pub reason: Option<String>,
}

impl Replay {
    /// Returns the part of the keys that it has examined, from 0 to 1.
    pub fn progress(&self) -> f64 {
        match (self.state, self.end_key) {
            (ReplayState::Done, _) => 1.0,
            (_, Some(end)) if end > self.first_key => {
                ((self.cursor - self.first_key) as f64 / (end - self.first_key) as f64).clamp(0.0, 1.0)
            }
            _ => 0.0,
        }
    }
}
