//! Quotas: how much of a host one space may use.

use serde::{Deserialize, Serialize};

/// How much a space may use. A member without a value has the host's default, or no limit if that has none either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// Events accepted per second. A request may exceed it once: the next waits until the rate is kept again.
    pub events_per_s: Option<u32>,
    /// Events accepted per day, in the same way.
    pub events_per_day: Option<u32>,
    /// Deliveries created per second, in the same way.
    pub deliveries_per_s: Option<u32>,
    /// Deliveries created per day, in the same way.
    pub deliveries_per_day: Option<u32>,
    /// Subscriptions that are not deleted.
    pub subscriptions: Option<u32>,
    /// Versions of the space's own plugins.
    pub plugins: Option<u32>,
    /// API keys of the space.
    pub keys: Option<u32>,
    /// Addresses that are notified when deliveries fail.
    pub administrators: Option<u32>,
    /// Bytes of events, requests and responses that are stored, beyond which no events are accepted.
    pub stored_bytes: Option<u64>,
}

impl Quotas {
    /// These quotas, with a default's value for each member that has none.
    #[must_use]
    pub fn or(self, default: Self) -> Self {
        Self {
            events_per_s: self.events_per_s.or(default.events_per_s),
            events_per_day: self.events_per_day.or(default.events_per_day),
            deliveries_per_s: self.deliveries_per_s.or(default.deliveries_per_s),
            deliveries_per_day: self.deliveries_per_day.or(default.deliveries_per_day),
            subscriptions: self.subscriptions.or(default.subscriptions),
            plugins: self.plugins.or(default.plugins),
            keys: self.keys.or(default.keys),
            administrators: self.administrators.or(default.administrators),
            stored_bytes: self.stored_bytes.or(default.stored_bytes),
        }
    }
}
