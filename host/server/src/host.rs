//! What the stages, the loops and the API share: everything of a running host.

use std::sync::Arc;

use hookmill_engine::Engine;
use hookmill_store::Store;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::config::Config;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::queues::{ActiveComparisons, Inbox, Notices, PreviewSlots, Shadows};
use crate::registry::Registry;
use crate::stages::send;

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
    /// The plugins' sandbox.
    pub engine: Engine,
    /// The HTTP client.
    pub client: send::Client,
    /// From accepting to delivering.
    pub inbox: Inbox,
    /// What the loops of notices sleep on.
    pub notices: Notices,
    /// The way to the mail server, if one is configured.
    pub mailer: Option<Mailer>,
    /// What waits to be run beside what was sent.
    pub shadows: Shadows,
    /// The turns of what callers try out.
    pub preview_slots: PreviewSlots,
    /// The turns of pulls from registries.
    pub pulls: Semaphore,
    /// What is being compared.
    pub comparisons: ActiveComparisons,
    /// What is counted.
    pub metrics: Metrics,
}

impl Host {
    /// Puts a host together: reads its subscriptions, ends the claims of whoever had this store before.
    ///
    /// # Errors
    /// If the store fails, the HTTP client cannot be built, or mail is configured wrongly.
    pub async fn new(config: Config, clock: Clock, store: Arc<dyn Store>, engine: Engine) -> anyhow::Result<Arc<Self>> {
        let taken_up = store.end_all_leases().await?;
        if taken_up > 0 {
            tracing::info!(taken_up, "deliveries that were in flight when the last host ended are due again");
        }
        Ok(Arc::new(Self {
            registry: Registry::load(Arc::clone(&store)).await?,
            client: send::Client::new(&config.send)?,
            inbox: Inbox::new(&config.deliver),
            notices: Notices::new(&config.notify),
            mailer: config.mail.as_ref().map(Mailer::new).transpose()?,
            shadows: Shadows::new(&config.shadow),
            preview_slots: PreviewSlots::new(config.plugin.transforms_max),
            pulls: Semaphore::new(config.oci.pulls_max),
            comparisons: ActiveComparisons::default(),
            metrics: Metrics::default(),
            config,
            clock,
            store,
            engine,
        }))
    }

    /// Until when a claim made now holds.
    pub fn lease_until(&self, now: Timestamp) -> Timestamp {
        now.checked_add(SignedDuration::from_secs(self.config.deliver.lease_s.into())).unwrap_or(Timestamp::MAX)
    }
}
