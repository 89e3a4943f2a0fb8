//! The results of deleting a plugin's version.

use hookmill_model::{DeliveryId, SubscriptionId};

/// The result of deleting a plugin's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletedPlugin {
    /// It was deleted, or did not exist.
    Done,
    /// Deliveries are still to be retried with it.
    InUse(WaitingDeliveries),
}

/// Deliveries that wait for a retry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingDeliveries {
    /// The number of deliveries.
    pub count: u64,
    /// The first of them, each with its subscription.
    pub first: Vec<(DeliveryId, SubscriptionId)>,
}
