//! A delivery: one event on its way to one subscription.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, Event, PinnedPlugin, SubscriptionId};

/// Where a delivery stands.
///
/// `Pending` and `Held` go on; the others are final (and have a `completed_at`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its due time, or is being sent.
    Pending,
    /// Its subscription is paused; goes on when that is activated.
    Held,
    /// The receiver took it.
    Delivered,
    /// Given up: out of attempts, or an attempt failed for good.
    Failed,
    /// The plugin decided that there is nothing to send.
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

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing more will happen by itself.
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Held => false,
            Self::Delivered | Self::Failed | Self::Skipped | Self::Cancelled => true,
        }
    }
}

impl Delivery {
    /// All its events, in order of acceptance.
    pub fn events(&self) -> impl Iterator<Item = &Arc<Event>> {
        std::iter::once(&self.event).chain(&self.more)
    }

    /// What its events take of memory: what they tell, and what was before.
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
    /// Whose it is.
    pub subscription_id: SubscriptionId,
    /// What happened; of several events that were gathered, the first.
    pub event: Arc<Event>,
    /// How many others were gathered with it.
    pub batched: u32,
    /// Those others, in order of acceptance; none where deliveries are listed, since together they can be large.
    pub more: Vec<Arc<Event>>,
    /// A test that somebody asked for: it goes out whatever the subscription's state, and what comes of it is no sign
    /// of how the subscription is doing.
    pub test: bool,
    /// Whether the next attempt sends what the last one sent, and transforms nothing.
    pub verbatim: bool,
    /// What shapes its next attempt; none if that is its subscription's to say.
    pub pinned: Option<Arc<PinnedPlugin>>,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts made so far.
    pub attempts: u32,
    /// When the next attempt is due; when the last was, once the state is final.
    pub due_at: Timestamp,
    /// While somebody works on it: until when the claim holds. Tells one claim from another, too.
    pub leased_until: Option<Timestamp>,
    /// When it became final.
    pub completed_at: Option<Timestamp>,
    /// Why it ended as it did, or why the last attempt failed, in words.
    pub reason: Option<String>,
}
