//! A delivery: one event on its way to one subscription.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, Event, PinnedPlugin, SubscriptionId};

/// The state of a delivery.
///
/// `Pending` and `Held` can change by themselves; the others are final (and have a `completed_at`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its due time, or is being sent.
    Pending,
    /// Its subscription is paused; it continues when the subscription is activated.
    Held,
    /// The receiver accepted it.
    Delivered,
    /// Failed permanently: no attempts left, or an attempt failed in a way that is not retried.
    Failed,
    /// The plugin decided to send nothing.
    Skipped,
    /// Cancelled by a caller, or its subscription was deleted.
    Cancelled,
}

impl DeliveryState {
    /// All of them, in the order of a delivery's life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Held, Self::Delivered, Self::Failed, Self::Skipped, Self::Cancelled];

    /// The state's name in the store and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns the state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether the state is final: nothing more happens unless a caller resends it.
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Held => false,
            Self::Delivered | Self::Failed | Self::Skipped | Self::Cancelled => true,
        }
    }
}

impl Delivery {
    /// Returns all its events, in order of acceptance.
    pub fn events(&self) -> impl Iterator<Item = &Arc<Event>> {
        std::iter::once(&self.event).chain(&self.more)
    }

    /// Returns the size of its events' data in memory, including their previous data.
    pub fn bytes(&self) -> usize {
        let bytes = |event: &Arc<Event>| {
            event.data.get().len() + event.previous.as_ref().map_or(0, |previous| previous.get().len())
        };
        self.events().map(bytes).sum()
    }
}

/// A delivery with its event.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Its subscription.
    pub subscription_id: SubscriptionId,
    /// Its event; of a batch, the first.
    pub event: Arc<Event>,
    /// The number of further events in its batch.
    pub batched: u32,
    /// Those further events, in order of acceptance; empty in listings of deliveries, since together they can be large.
    pub more: Vec<Arc<Event>>,
    /// Whether it is a test that a caller requested: it is sent regardless of the subscription's state, and its result does
    /// not count for the subscription's activity.
    pub test: bool,
    /// Whether the next attempt resends the last request verbatim, without a transform.
    pub verbatim: bool,
    /// What shapes its next attempt; none if the subscription's current plugin does.
    pub pinned: Option<Arc<PinnedPlugin>>,
    /// Its state.
    pub state: DeliveryState,
    /// Attempts made so far.
    pub attempts: u32,
    /// When the next attempt is due; in a final state, when the last was.
    pub due_at: Timestamp,
    /// When its lease expires, while a worker has one. It also identifies the lease.
    pub leased_until: Option<Timestamp>,
    /// When it became final.
    pub completed_at: Option<Timestamp>,
    /// Why it is in a final state, or why the last attempt failed.
    pub reason: Option<String>,
}
