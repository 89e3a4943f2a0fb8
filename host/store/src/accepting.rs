//! The input and the result of [`Store::accept`](super::Store::accept).

use std::sync::Arc;

use hookmill_model::{DeliveryId, Event, FieldPath, SubscriptionId};
use jiff::Timestamp;

/// An event to be accepted, with its deliveries.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event.
    pub event: Arc<Event>,
    /// Where its id comes from.
    pub identity: Identity,
    /// One for each subscription that it matches.
    pub deliveries: Vec<NewDelivery>,
    /// Its values at the paths that its space indexes.
    pub values: Vec<IndexedValue>,
}

/// A value at a path that a space indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedValue {
    /// The path.
    pub path: FieldPath,
    /// The text there, or the number, `true` or `false` as written: at most [`BYTES_MAX`](Self::BYTES_MAX).
    pub value: String,
}

impl IndexedValue {
    /// The longest value that is indexed: longer than an address, a URL of usual length or an identifier.
    pub const BYTES_MAX: usize = 256;
}

/// Where an event's id comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The host generated it from this key, which [`Store::take_keys`](super::Store::take_keys) returned.
    Host {
        /// The key.
        key: i64,
    },
    /// The producer chose it, and may post the event again.
    Producer {
        /// SHA-256 over type, data and, if given, the time: shows whether an event with the same id is the same event.
        content_sha256: [u8; 32],
    },
}

/// A delivery to be created.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Its id. The store finds a delivery fastest if its id was generated at the event's `accepted_at` from one of the
    /// consecutive keys that were taken for the event's deliveries.
    pub id: DeliveryId,
    /// Its subscription.
    pub subscription_id: SubscriptionId,
    /// When its first attempt is due.
    pub due_at: Timestamp,
    /// The end of its lease, if the caller will work on it itself, from memory.
    pub leased_until: Option<Timestamp>,
    /// Set if the event may join a batch; otherwise, or if no batch is open, the delivery is created as given here.
    pub batch: Option<NewBatch>,
    /// Whether it is a test that a caller requested.
    pub test: bool,
}

/// The batching of an event with others of its type.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// When the batch closes, if this event opens it.
    pub closes_at: Timestamp,
    /// The number of events that fills a batch.
    pub max: u32,
    /// The maximum bytes of data in a batch; a single larger event makes a batch of its own.
    pub bytes_max: usize,
    /// When the batch is due, if this event fills it.
    pub due_if_full: Timestamp,
}

/// The result of [`Store::accept`](super::Store::accept) for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The event and its deliveries are committed.
    New {
        /// When the earliest batch that it filled is due.
        filled: Option<Timestamp>,
    },
    /// The same event was accepted before; nothing was written.
    Repeat {
        /// When it happened, as stored then.
        occurred_at: Timestamp,
        /// When it was accepted.
        accepted_at: Timestamp,
        /// The number of deliveries that were created then.
        deliveries: u64,
    },
    /// Another event has this id; nothing was written.
    Conflict,
}
