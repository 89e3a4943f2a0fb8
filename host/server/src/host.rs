//! The state of a running host, which the loops and the API share.

use std::sync::Arc;

use hookmill_engine::Engine;
use hookmill_store::Store;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, Semaphore};

use crate::clock::{Clock, after};
use crate::config::{Config, QUOTAS};
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::queues::{Accepting, ActiveComparisons, Alarm, Commits, Inbox, Notices, PreviewSlots, Shadows};
use crate::quotas::Quotas;
use crate::recent::Recent;
use crate::registry::Registry;
use crate::stages::send;
use crate::task::SpaceTurns;
use crate::values::IndexedPaths;

/// The state of a running host.
pub struct Host {
    /// All settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The store with all rows.
    pub store: Arc<dyn Store>,
    /// The subscriptions, in memory.
    pub registry: Registry,
    /// The plugins' sandbox.
    pub engine: Engine,
    /// The HTTP client.
    pub client: send::Client,
    /// The events that are being accepted.
    pub accepting: Accepting,
    /// The turns of spaces to commit what they post.
    pub commits: Commits,
    /// The deliveries passed from accepting to delivering.
    pub inbox: Inbox,
    /// The alarm of the loop that takes the steps of replays.
    pub replays: Alarm,
    /// The alarms of the loops that send notices.
    pub notices: Notices,
    /// The client of the mail server, if one is configured.
    pub mailer: Option<Mailer>,
    /// The queue of shadow runs.
    pub shadows: Shadows,
    /// The slots of previews and comparisons.
    pub preview_slots: PreviewSlots,
    /// The turns of pulls from registries.
    pub pulls: Semaphore,
    /// The turns of spaces at checks against schemas that may take long: the share of the machine that hostile schemas get.
    pub checks: SpaceTurns,
    /// The running comparisons.
    pub comparisons: ActiveComparisons,
    /// Told when something is to be erased.
    pub erasures: Notify,
    /// The paths that spaces index.
    pub indexed: IndexedPaths,
    /// What each space may use.
    pub quotas: Quotas,
    /// The metrics.
    pub metrics: Metrics,
    /// What happened lately.
    pub recent: Recent,
}

impl Host {
    /// Creates a host: reads its subscriptions, and ends the leases of the previous host on this store.
    ///
    /// # Errors
    /// If the store fails, the HTTP client cannot be built, or mail is configured wrongly.
    pub async fn new(config: Config, clock: Clock, store: Arc<dyn Store>, engine: Engine) -> anyhow::Result<Arc<Self>> {
        let deliveries = store.end_all_leases().await?;
        if deliveries > 0 {
            tracing::info!(deliveries, "leases of the previous host ended; its deliveries in flight are due again");
        }
        Ok(Arc::new(Self {
            indexed: IndexedPaths::load(&*store).await?,
            quotas: Quotas::load(&*store, config.quotas.or(QUOTAS)).await?,
            registry: Registry::load(Arc::clone(&store)).await?,
            client: send::Client::new(&config.send)?,
            accepting: Accepting::default(),
            replays: Alarm::default(),
            commits: Commits::new(&config.accept),
            inbox: Inbox::new(&config.deliver),
            notices: Notices::new(&config.notify),
            mailer: config.mail.as_ref().map(Mailer::new).transpose()?,
            shadows: Shadows::new(&config.shadow),
            preview_slots: PreviewSlots::new(config.plugin.transforms_max),
            pulls: Semaphore::new(config.oci.pulls_max),
            checks: SpaceTurns::new(2),
            comparisons: ActiveComparisons::default(),
            erasures: Notify::new(),
            metrics: Metrics::default(),
            recent: Recent::default(),
            config,
            clock,
            store,
            engine,
        }))
    }

    /// Returns the expiry of a lease that is taken now.
    pub fn lease_until(&self, now: Timestamp) -> Timestamp {
        after(now, SignedDuration::from_secs(self.config.deliver.lease_s.into()))
    }
}
