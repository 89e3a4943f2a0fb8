//! Parts of listings: what a page shows of each entry, and where the next part begins.

use hookmill_model::{DeliveryId, DeliveryState, EventId, EventType, SubscriptionId};
use jiff::Timestamp;

/// A part of a listing. It may have fewer entries than were asked for, or none, although more follow: it ends early where
/// reading on would take long, or much memory.
#[derive(Clone, Debug)]
pub struct ListPart<T, C> {
    /// The entries.
    pub entries: Vec<T>,
    /// Where the next part begins; none if nothing follows.
    pub next: Option<C>,
}

impl<T, C> ListPart<T, C> {
    /// The part after which nothing follows, without entries.
    pub fn empty() -> Self {
        Self { entries: Vec::new(), next: None }
    }
}

/// A delivery in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryHead {
    /// Its id.
    pub id: DeliveryId,
    /// Its subscription.
    pub subscription_id: SubscriptionId,
    /// Its first event.
    pub event_id: EventId,
    /// The type of that event.
    pub event_type: EventType,
    /// When that event was accepted.
    pub accepted_at: Timestamp,
    /// The number of further events.
    pub batched: u32,
    /// Whether it is a test.
    pub test: bool,
    /// Its state.
    pub state: DeliveryState,
    /// The number of attempts.
    pub attempts: u32,
    /// When its next attempt is due; when the last was, once the state is final.
    pub due_at: Timestamp,
    /// When it became final.
    pub completed_at: Option<Timestamp>,
    /// The reason for its state, or of its last failure.
    pub reason: Option<String>,
}

/// An event in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHead {
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub kind: EventType,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// The length of a step of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl Step {
    /// Returns the step's length in minutes.
    pub fn minutes(self) -> i64 {
        match self {
            Self::Minute => 1,
            Self::Hour => 60,
        }
    }
}

/// What happened in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// When the step begins: a whole minute or hour, UTC.
    pub at: Timestamp,
    /// Deliveries that were delivered.
    pub delivered: u64,
    /// Deliveries that failed for good.
    pub failed: u64,
    /// Deliveries that the plugin skipped.
    pub skipped: u64,
    /// Deliveries that were cancelled.
    pub cancelled: u64,
    /// Attempts that failed and are retried.
    pub retried: u64,
}
