//! One attempt without recording it: shape, sign, send, judge. Deliveries, previews, comparisons, shadows and handshakes
//! share it, and it alone knows the order of the stages.

pub mod handshake;
pub mod transform;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hookmill_engine::Prepared;
use hookmill_model::{
    Answer, Delivery, DeliveryId, DeliveryState, Digest, Event, OnFailure, Outcome, Request, SendFault, SentRequest,
    SpaceId, Subscription,
};
use http::HeaderMap;

use crate::host::Host;
use crate::registry::CompiledSubscription;
use crate::stages::{record, request, seal, send, sign};
use transform::{Plugin, TransformReport};

/// Transforms with the code and configuration that the delivery is pinned to or, at its first attempt, with those of the
/// subscription, which may have no plugin.
///
/// # Errors
/// If the host itself fails. The plugin's faults are in the result.
pub async fn shape(
    host: &Host,
    compiled: &CompiledSubscription,
    delivery: &Delivery,
    number: u32,
) -> anyhow::Result<TransformReport> {
    let subscription = &compiled.subscription;
    let config =
        delivery.pinned.as_ref().map_or_else(|| compiled.plugin_config(), |pinned| Some(pinned.config.as_str()));
    let plugin = match digest(compiled, delivery) {
        Some(digest) => Some(prepared(host, Some(&subscription.space), digest).await?),
        None => None,
    };
    let plugin = plugin.as_deref().zip(config).map(|(prepared, config)| Plugin { prepared, config });
    let input = transform::TransformInput { delivery, attempt: number, subscription, selector: compiled.selector() };
    Ok(match plugin.filter(|_| subscription.on_failure() == OnFailure::DefaultShape) {
        Some(plugin) => transform::transform_or_default(&host.engine, &host.config.plugin, plugin, input).await?,
        None => transform::transform(&host.engine, &host.config.plugin, plugin, input).await?,
    })
}

/// Returns a delivery of a test event that exists in memory only.
pub fn test_delivery(subscription: &Subscription, id: DeliveryId, event: Event) -> Delivery {
    Delivery {
        id,
        subscription_id: subscription.id,
        due_at: event.accepted_at,
        event: event.into(),
        batched: 0,
        more: Vec::new(),
        test: true,
        verbatim: false,
        pinned: None,
        state: DeliveryState::Pending,
        attempts: 0,
        leased_until: None,
        completed_at: None,
        reason: None,
    }
}

/// Returns the component of the plugin that shapes the delivery, if any.
pub fn digest(compiled: &CompiledSubscription, delivery: &Delivery) -> Option<Digest> {
    match &delivery.pinned {
        Some(pinned) => pinned.digest,
        None => compiled.subscription.plugin.as_ref().map(|plugin| plugin.digest),
    }
}

/// Returns the time that a subscription allows its receiver.
pub fn timeout(subscription: &Subscription) -> Duration {
    Duration::from_millis(subscription.timeout_ms.into())
}

/// Returns the request as it is sent, with its secrets, and the headers that sign it at the present time.
pub fn signed<'a>(
    host: &Host,
    subscription: &Subscription,
    id: DeliveryId,
    request: &'a Request,
) -> (Cow<'a, Request>, HeaderMap) {
    let unsealed = seal::unseal(request, subscription);
    let timestamp_s = host.clock.now().as_second();
    let signed = sign::SignedContent { id, timestamp_s, url: unsealed.url.as_str(), body: &unsealed.body };
    let signature = sign::sign(&subscription.signing, &subscription.secrets, &signed);
    (unsealed, signature)
}

/// Inserts the secrets into the request, signs it with the present time and sends it. Returns the request without its
/// secrets, as the history keeps it, and the result.
///
/// # Errors
/// If the host itself cannot send.
pub async fn signed_and_sent(
    host: &Host,
    subscription: &Subscription,
    id: DeliveryId,
    request: &Request,
    timeout: Duration,
) -> Result<(SentRequest, send::Sent), send::SendError> {
    let (unsealed, signature) = signed(host, subscription, id, request);
    let mut sent = host.client.send(&subscription.space, &unsealed, &signature, timeout).await?;
    if let Ok(answer) = &mut sent.result {
        seal::hide_in(answer, request, subscription);
    }
    Ok((request::as_sent(request, &signature, &subscription.headers), sent))
}

/// Judges a response as success or rejection by the subscription's rules; no response is a fault.
pub fn judge(subscription: &Subscription, answered: Result<Answer, SendFault>) -> Outcome {
    match answered {
        Ok(answer) if record::accepts(subscription, &answer) => Outcome::Succeeded(answer),
        Ok(answer) => Outcome::Rejected(answer),
        Err(fault) => Outcome::Unreachable(fault),
    }
}

/// Returns the plugin from memory, from the cache on disk, or compiled from the store in the turn of a space; of the host
/// itself, if there is none.
///
/// # Errors
/// If the store does not have it, or the engine cannot prepare it.
pub async fn prepared(host: &Host, space: Option<&SpaceId>, digest: Digest) -> anyhow::Result<Arc<Prepared>> {
    if let Some(prepared) = host.engine.prepared(&digest) {
        return Ok(prepared);
    }
    if let Some(prepared) = host.engine.load_cached(digest).await {
        return Ok(prepared);
    }
    // First, so that a component that waits is not in memory.
    let turn = host.engine.compiler_turn(space).await;
    let component = host.store.component(digest).await?;
    let component = component.with_context(|| format!("the store has no component {digest}"))?;
    host.engine.load_in(&turn, digest, component).await.with_context(|| format!("loading the plugin {digest}"))
}
