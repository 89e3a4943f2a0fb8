//! Preview: what an attempt would send, without sending it.
//!
//! A preview takes the path of an attempt, through the same functions: transform, then sign the exact bytes at the
//! present time. It stops there. Nothing is sent and nothing is written; it shows what the history would show.
//!
//! Previews and comparisons ([`crate::dry_run::compare`]) have their own slots ([`crate::queues::PreviewSlots`]), so that
//! most of the engine is left to deliveries however many are requested.

use crate::dispatch;
use crate::dispatch::transform::{TransformDecision, TransformReport};
use crate::host::Host;
use crate::registry::CompiledSubscription;
use crate::stages::request;
use hookmill_model::{Delivery, Figures, LogLine, PluginFault, TransformOutcome};

/// The preview of an attempt.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The request that would be sent, or the reason for none.
    pub outcome: TransformOutcome,
    /// The plugin's fault, if the default shape would be sent instead.
    pub plugin_fault: Option<PluginFault>,
    /// The plugin's log.
    pub logs: Vec<LogLine>,
    /// The resources that the transform used.
    pub figures: Figures,
}

impl Preview {
    /// Returns the plugin's fault, whether nothing would be sent because of it or the default shape.
    pub fn fault(&self) -> Option<&PluginFault> {
        let failed = match &self.outcome {
            TransformOutcome::Failed(fault) => Some(fault),
            TransformOutcome::Request(_) | TransformOutcome::Skipped(_) => None,
        };
        self.plugin_fault.as_ref().or(failed)
    }
}

/// Returns what the attempt of this number would send.
///
/// # Errors
/// If the host itself fails. The plugin's faults are in the preview.
pub async fn preview(
    host: &Host,
    compiled: &CompiledSubscription,
    delivery: &Delivery,
    number: u32,
) -> anyhow::Result<Preview> {
    let TransformReport { result, plugin_fault, logs, figures } =
        dispatch::shape(host, compiled, delivery, number).await?;
    let outcome = match result {
        Ok(TransformDecision::Deliver(request)) => {
            let subscription = &compiled.subscription;
            let (_, signature) = dispatch::signed(host, subscription, delivery.id, &request);
            TransformOutcome::Request(request::as_sent(&request, &signature, &subscription.headers))
        }
        Ok(TransformDecision::Skip(reason)) => TransformOutcome::Skipped(reason),
        Err(fault) => TransformOutcome::Failed(fault),
    };
    Ok(Preview { outcome, plugin_fault, logs, figures })
}
