//! Preview: what an attempt would send, without sending it.
//!
//! A preview goes the way of an attempt, by the same functions: transform, then sign at the present time over the exact
//! bytes. It stops there. Nothing is sent and nothing is written; what it shows is what the history would show.
//!
//! Previews and comparisons ([`crate::compare`]) have turns of their own ([`Trials`]), so that however many are asked
//! for, most of the engine is left to deliveries.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::model::{Attempt, Delivery, Figures, LogLine, Outcome, PluginFault, SentRequest};
use crate::registry::Live;
use crate::transform::{Shaped, Transformed, request};
use crate::{Host, deliver};

/// What a transform made of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// This would be sent, or was.
    Request(SentRequest),
    /// The plugin decides to send nothing, for this reason.
    Skipped(String),
    /// The plugin fails.
    Failed(PluginFault),
}

impl Made {
    /// What an attempt made; none if it made nothing.
    pub fn by(attempt: &Attempt) -> Option<Self> {
        match (&attempt.request, &attempt.outcome) {
            (Some(request), _) => Some(Self::Request(request.clone())),
            (None, Outcome::Skipped(reason)) => Some(Self::Skipped(reason.clone())),
            (None, Outcome::PluginFailed(fault)) => Some(Self::Failed(fault.clone())),
            (None, Outcome::Succeeded(_) | Outcome::Refused(_) | Outcome::Unreachable(_)) => None,
        }
    }
}

/// What an attempt would be.
#[derive(Clone, Debug)]
pub struct Preview {
    /// What would be sent, or why nothing would.
    pub made: Made,
    /// How the plugin fails, if the default shape goes out instead.
    pub plugin_fault: Option<PluginFault>,
    /// What the plugin logged.
    pub logs: Vec<LogLine>,
    /// What the transform used.
    pub figures: Figures,
}

impl Preview {
    /// How the plugin fails, if it does: whether nothing goes out for that or the default shape.
    pub fn fault(&self) -> Option<&PluginFault> {
        let failed = match &self.made {
            Made::Failed(fault) => Some(fault),
            Made::Request(_) | Made::Skipped(_) => None,
        };
        self.plugin_fault.as_ref().or(failed)
    }
}

/// Makes what the attempt of this number would send.
///
/// # Errors
/// If the host itself fails. What the plugin does wrong is in the preview.
pub async fn preview(host: &Host, live: &Live, delivery: &Delivery, number: u32) -> anyhow::Result<Preview> {
    let Transformed { result, plugin_fault, logs, figures } = deliver::shape(host, live, delivery, number).await?;
    let made = match result {
        Ok(Shaped::Deliver(request)) => {
            let subscription = &live.subscription;
            let (_, signature) = deliver::signed(host, subscription, delivery.id, &request);
            Made::Request(request::as_sent(&request, &signature, &subscription.headers))
        }
        Ok(Shaped::Skip(reason)) => Made::Skipped(reason),
        Err(fault) => Made::Failed(fault),
    };
    Ok(Preview { made, plugin_fault, logs, figures })
}

/// Transforms that callers wait for, at once: few enough beside `plugin.transforms_max`, which deliveries share.
const TRIALS_MAX: u32 = 4;

/// The turns of previews and comparisons.
pub struct Trials(Semaphore);

impl Trials {
    /// A quarter of the engine at most, but one turn if that is nothing.
    pub fn new(transforms_max: u32) -> Self {
        Self(Semaphore::new((transforms_max / 4).clamp(1, TRIALS_MAX) as usize))
    }

    /// Waits for a turn, which lasts until what is returned is dropped.
    pub async fn turn(&self) -> SemaphorePermit<'_> {
        self.0.acquire().await.expect("nobody closes it")
    }
}
