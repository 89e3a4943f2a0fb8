//! Preview: what an attempt would send, without sending it.
//!
//! A preview goes the way of an attempt, by the same functions: transform, then sign at the present time over the exact
//! bytes. It stops there. Nothing is sent and nothing is written; what it shows is what the history would show.
//!
//! Previews and comparisons ([`crate::dry_run::compare`]) have turns of their own ([`crate::queues::PreviewSlots`]), so that however many are asked
//! for, most of the engine is left to deliveries.

use crate::dispatch;
use crate::dispatch::transform::{TransformDecision, TransformReport};
use crate::host::Host;
use crate::registry::CompiledSubscription;
use crate::stages::request;
use hookmill_model::{Delivery, Figures, LogLine, PluginFault, TransformOutcome};

/// What an attempt would be.
#[derive(Clone, Debug)]
pub struct Preview {
    /// What would be sent, or why nothing would.
    pub made: TransformOutcome,
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
            TransformOutcome::Failed(fault) => Some(fault),
            TransformOutcome::Request(_) | TransformOutcome::Skipped(_) => None,
        };
        self.plugin_fault.as_ref().or(failed)
    }
}

/// Makes what the attempt of this number would send.
///
/// # Errors
/// If the host itself fails. What the plugin does wrong is in the preview.
pub async fn preview(
    host: &Host,
    live: &CompiledSubscription,
    delivery: &Delivery,
    number: u32,
) -> anyhow::Result<Preview> {
    let TransformReport { result, plugin_fault, logs, figures } = dispatch::shape(host, live, delivery, number).await?;
    let made = match result {
        Ok(TransformDecision::Deliver(request)) => {
            let subscription = &live.subscription;
            let (_, signature) = dispatch::signed(host, subscription, delivery.id, &request);
            TransformOutcome::Request(request::as_sent(&request, &signature, &subscription.headers))
        }
        Ok(TransformDecision::Skip(reason)) => TransformOutcome::Skipped(reason),
        Err(fault) => TransformOutcome::Failed(fault),
    };
    Ok(Preview { made, plugin_fault, logs, figures })
}
