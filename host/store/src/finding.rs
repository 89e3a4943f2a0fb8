//! Lookups for people: by text, and of what an event became.

use async_trait::async_trait;
use hookmill_model::{DeliveryId, EventId, EventType, PluginName, Replay, SpaceId, SubscriptionId};

use super::{DeliveryHead, EventHead, StoreError};

/// What a text finds in a space, apart from its subscriptions.
#[derive(Clone, Debug, PartialEq)]
pub enum LookupHit {
    /// The event with this id.
    Event(EventHead),
    /// The delivery with this id.
    Delivery(DeliveryHead),
    /// The replay with this id.
    Replay(Replay),
    /// A plugin that the space may use, with the text in its name.
    Plugin(PluginName),
    /// An event type of the space's catalog with the text in its name.
    EventType(EventType),
}

/// Lookups for people.
#[async_trait]
pub trait FindStore: Send + Sync + 'static {
    /// Returns what has this text as its id, and up to `names_max` plugins and as many event types with the text in their
    /// names, in upper or lower case, by name.
    async fn find(&self, space: &SpaceId, text: &str, names_max: usize) -> Result<Vec<LookupHit>, StoreError>;

    /// Returns the newest delivery of an event to each of these subscriptions, in order; none for one that has none.
    async fn deliveries_to(
        &self,
        space: &SpaceId,
        event: &EventId,
        subscriptions: Vec<SubscriptionId>,
    ) -> Result<Vec<Option<DeliveryId>>, StoreError>;
}
