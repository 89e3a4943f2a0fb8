//! What [`Store::accept`](super::Store::accept) takes and answers.

use std::sync::Arc;

use jiff::Timestamp;

use hookmill_model::{DeliveryId, Event, SubscriptionId};

/// An event to be accepted, with the deliveries that it makes.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event.
    pub event: Arc<Event>,
    /// Tells whether an event of the same id is the same: SHA-256 over type, data and, if given, the time.
    pub content_sha256: [u8; 32],
    /// One for each subscription that wants it.
    pub deliveries: Vec<NewDelivery>,
}

/// A delivery to be created.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Its id, made at the event's `accepted_at`: the listing of a span of time rests on it.
    pub id: DeliveryId,
    /// Whose it is.
    pub subscription_id: SubscriptionId,
    /// When its first attempt is due.
    pub due_at: Timestamp,
    /// Set if the caller goes on with it itself, from memory.
    pub leased_until: Option<Timestamp>,
    /// Set if the event may join a batch; else, or if there is none to join, the delivery is created as it stands here.
    pub batch: Option<NewBatch>,
    /// Whether it is a test that somebody asked for.
    pub test: bool,
}

/// How an event is gathered with others of its type.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// When the batch that it opens, if it does, takes no more.
    pub closes_at: Timestamp,
    /// How many events fill a batch.
    pub max: u32,
    /// How many bytes of data a batch has at most, but for an event that is larger alone.
    pub bytes_max: usize,
    /// When a batch that it fills is due.
    pub due_if_full: Timestamp,
}

/// What became of an event in [`Store::accept`](super::Store::accept).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It and its deliveries are committed.
    New {
        /// When the earliest of the batches that it filled is due.
        filled: Option<Timestamp>,
    },
    /// The same event was accepted before; nothing was written.
    Repeat {
        /// When it happened, as it was kept then.
        occurred_at: Timestamp,
        /// When it was accepted.
        accepted_at: Timestamp,
        /// How many deliveries it made then.
        deliveries: u64,
    },
    /// Another event has this id; nothing was written.
    Conflict,
}
