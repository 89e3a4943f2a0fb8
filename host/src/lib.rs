//! Hookmill: a WebAssembly plugin host for webhook payloads.
#![forbid(unsafe_code)]

pub mod accept;
pub mod clock;
pub mod config;
pub mod delay;
pub mod deliver;
pub mod matching;
pub mod metrics;
pub mod model;
pub mod record;
pub mod registry;
pub mod send;
pub mod sign;
pub mod store;
pub mod transform;

use std::sync::Arc;

use clock::Clock;
use config::Config;
use deliver::Inbox;
use jiff::{SignedDuration, Timestamp};
use metrics::Metrics;
use registry::Registry;
use store::Store;

/// What the stages share: everything of a running host.
pub struct Host {
    /// Every knob.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The rows.
    pub store: Arc<dyn Store>,
    /// The subscriptions, in memory.
    pub registry: Registry,
    /// From accepting to delivering.
    pub inbox: Inbox,
    /// What is counted.
    pub metrics: Metrics,
}

impl Host {
    /// Until when a claim made now holds.
    fn claim_until(&self, now: Timestamp) -> Timestamp {
        now.checked_add(SignedDuration::from_secs(self.config.deliver.claim_s.into())).unwrap_or(Timestamp::MAX)
    }
}
