//! One attempt without recording it: shape, sign, send, judge. What delivering, previews, comparisons, shadows and
//! handshakes share.

pub mod handshake;
pub mod transform;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hookmill_engine::Prepared;
use hookmill_model::{
    Answer, Delivery, DeliveryId, DeliveryState, Digest, Event, OnFailure, Outcome, Request, SendFault, SentRequest,
    Subscription,
};
use http::HeaderMap;

use crate::host::Host;
use crate::registry::CompiledSubscription;
use crate::stages::{record, request, seal, send, sign};
use transform::{Plugin, TransformReport};

/// Transforms with the code and the configuration that the delivery started with, or, at its first attempt, as its
/// subscription asks: with its plugin or without.
///
/// # Errors
/// If the host itself fails. What the plugin does wrong is in the result.
pub async fn shape(
    host: &Host,
    live: &CompiledSubscription,
    delivery: &Delivery,
    number: u32,
) -> anyhow::Result<TransformReport> {
    let subscription = &live.subscription;
    let config = delivery.pinned.as_ref().map_or_else(|| live.plugin_config(), |setup| Some(setup.config.as_str()));
    let plugin = match digest(live, delivery) {
        Some(digest) => Some(prepared(host, digest).await?),
        None => None,
    };
    let plugin = plugin.as_deref().zip(config).map(|(prepared, config)| Plugin { prepared, config });
    let input = transform::TransformInput { delivery, attempt: number, subscription, selector: live.selector() };
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

/// The component of the plugin that shapes the delivery, if one does.
pub fn digest(live: &CompiledSubscription, delivery: &Delivery) -> Option<Digest> {
    match &delivery.pinned {
        Some(setup) => setup.digest,
        None => live.subscription.plugin.as_ref().map(|plugin| plugin.digest),
    }
}

/// What a subscription allows its receiver.
pub fn timeout(subscription: &Subscription) -> Duration {
    Duration::from_millis(subscription.timeout_ms.into())
}

/// The request as it goes out, with its secrets in it, and the headers that sign it at the present time.
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

/// Puts the secrets into the request, signs it with the present time, sends it, and keeps it as it was before.
pub async fn signed_and_sent(
    host: &Host,
    subscription: &Subscription,
    id: DeliveryId,
    request: &Request,
    timeout: Duration,
) -> (SentRequest, send::Sent) {
    let (unsealed, signature) = signed(host, subscription, id, request);
    let mut sent = host.client.send(&unsealed, &signature, timeout).await;
    if let Ok(answer) = &mut sent.result {
        seal::hide_in(answer, request, subscription);
    }
    (request::as_sent(request, &signature, &subscription.headers), sent)
}

/// An answer is a success or a refusal by the subscription's codes; no answer is a fault.
pub fn judge(subscription: &Subscription, answered: Result<Answer, SendFault>) -> Outcome {
    match answered {
        Ok(answer) if record::accepts(subscription, &answer) => Outcome::Succeeded(answer),
        Ok(answer) => Outcome::Rejected(answer),
        Err(fault) => Outcome::Unreachable(fault),
    }
}

/// The plugin, from memory, from the cache on disk, or compiled from the store.
///
/// # Errors
/// If the store does not have it, or the engine cannot prepare it.
pub async fn prepared(host: &Host, digest: Digest) -> anyhow::Result<Arc<Prepared>> {
    if let Some(prepared) = host.engine.prepared(&digest) {
        return Ok(prepared);
    }
    if let Some(prepared) = host.engine.load_cached(digest).await {
        return Ok(prepared);
    }
    let component = host.store.component(digest).await?;
    let component = component.with_context(|| format!("the store has no component {digest}"))?;
    host.engine.load(digest, component).await.with_context(|| format!("loading the plugin {digest}"))
}
