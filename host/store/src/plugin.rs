//! The results of deleting a plugin's version.

use hookmill_model::{DeliveryId, SubscriptionId};

/// Whether a plugin's version was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletedPlugin {
    /// It was, or there was none.
    Done,
    /// Deliveries are yet to be tried again with it.
    InUse(WaitingDeliveries),
}

/// Deliveries that wait for something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingDeliveries {
    /// How many there are.
    pub count: u64,
    /// The first of them, each with its subscription.
    pub first: Vec<(DeliveryId, SubscriptionId)>,
}
