//! What the store is told and asked of plugins beside their rows.

use hookmill_model::{DeliveryId, SubscriptionId};

/// How a subscription's plugin did in an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginRun {
    /// Whether it failed, even if the default shape went out then.
    pub failed: bool,
    /// Pause the subscription if it has failed so often in a row.
    pub pause_after: Option<u32>,
}

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
