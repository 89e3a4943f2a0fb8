//! The store of queues: what waits for subscriptions, and subscriptions as a listing shows them.

use async_trait::async_trait;
use hookmill_model::{Activity, SpaceId, Subscription, SubscriptionId};
use jiff::Timestamp;

use super::StoreError;

/// The pending deliveries of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Deliveries that were never attempted.
    pub waiting: u64,
    /// Deliveries that were attempted before.
    pub retrying: u64,
    /// When the first of those in rows is due; none if there is none, or all are in memory.
    pub next_due_at: Option<Timestamp>,
}

/// The deliveries of a space that are not final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceQueue {
    /// Pending deliveries that were never attempted.
    pub waiting: u64,
    /// Pending deliveries that were attempted before.
    pub retrying: u64,
    /// Deliveries held for subscriptions that are not active.
    pub held: u64,
    /// When the first pending delivery is due, or was.
    pub oldest_due_at: Option<Timestamp>,
}

/// A subscription as a listing shows it.
#[derive(Clone, Debug)]
pub struct ListedSubscription {
    /// The subscription.
    pub subscription: Subscription,
    /// How it has been doing.
    pub activity: Activity,
    /// What waits for it.
    pub queue: Queue,
}

/// Queues. Their counts are kept in memory by the writer, and cost no query.
#[async_trait]
pub trait QueueStore: Send + Sync {
    /// Returns the queue of a subscription; an empty one if it does not exist.
    async fn queue(&self, space: &SpaceId, id: SubscriptionId) -> Result<Queue, StoreError>;

    /// Returns the subscriptions with these ids, in this order, and how many of the ids were looked at: not all of them if
    /// the subscriptions are large. One that does not exist is left out.
    async fn listed(
        &self,
        space: &SpaceId,
        ids: Vec<SubscriptionId>,
    ) -> Result<(Vec<ListedSubscription>, usize), StoreError>;

    /// Returns the queue of a space. `oldest_due_at` is of at most 10,000 of its subscriptions.
    async fn space_queue(&self, space: &SpaceId) -> Result<SpaceQueue, StoreError>;
}
