//! One attempt at one delivery: transform → sign → send. One that repeats an earlier one begins in [`repeat`] instead.
//! What was made of it is recorded by [`finish`](super::finish).
//!
//! Whatever the plugin or the receiver does wrong becomes an outcome and is recorded. Whatever *we* do wrong is an error
//! here: it is logged, nothing is recorded and no retry is used up; the claim lapses and the delivery is taken up again.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::finish::{Made, end_unsent, given_up};
use super::repeat;
use crate::model::{
    Answer, Attempt, Delivery, DeliveryId, DeliveryState, Digest, OnFailure, Outcome, Request, SendFault, SentRequest,
    Subscription, SubscriptionState,
};
use crate::registry::Live;
use crate::transform::{self, Plugin, Prepared, Shaped, Transformed};
use crate::{Host, record, send, sign};

/// What a claim must outlast beside the request's timeout: the transform, the record's commit, and clocks that differ.
const CLAIM_MARGIN: Duration = Duration::from_secs(6);

/// Makes the attempt, or sees that there is none to be made.
pub(super) async fn attempt(host: &Host, delivery: Delivery) -> Option<Made> {
    let claimed_until = delivery.claimed_until?;
    let id = delivery.id;
    try_attempt(host, delivery, claimed_until).await.unwrap_or_else(|err| {
        given_up(host, id, claimed_until, &err);
        None
    })
}

async fn try_attempt(host: &Host, delivery: Delivery, claimed_until: Timestamp) -> anyhow::Result<Option<Made>> {
    let Some(live) = host.registry.get(delivery.subscription_id) else {
        let reason = "the subscription was deleted";
        end_unsent(host, &delivery, claimed_until, DeliveryState::Cancelled, reason).await?;
        return Ok(None);
    };
    match live.subscription.state {
        SubscriptionState::Active => {}
        _ if delivery.test => {}
        SubscriptionState::Draft | SubscriptionState::Verifying | SubscriptionState::Paused => {
            let reason = "the subscription is not active";
            end_unsent(host, &delivery, claimed_until, DeliveryState::Held, reason).await?;
            // It may have been activated since we looked: then the row is pending, and nobody else would say so.
            host.inbox.due(delivery.due_at);
            return Ok(None);
        }
        SubscriptionState::Deleted => unreachable!("the registry keeps no deleted subscription"),
    }
    if !outlasts(claimed_until, host.clock.now(), &live.subscription) {
        // It waited in memory for too long: somebody else may take it up before we are done.
        host.inbox.due(claimed_until);
        return Ok(None);
    }
    let attempt = if delivery.exact {
        repeat::repeat(host, &live, &delivery).await?
    } else {
        make(host, &live, &delivery).await?
    };
    Ok(Some(Made { live, delivery, claimed_until, attempt }))
}

/// Whether a claim holds until an attempt begun now is certainly over.
fn outlasts(claimed_until: Timestamp, now: Timestamp, subscription: &Subscription) -> bool {
    let need = timeout(subscription) + CLAIM_MARGIN;
    claimed_until.duration_since(now) >= SignedDuration::try_from(need).unwrap_or(SignedDuration::MAX)
}

/// Transforms, signs and sends.
async fn make(host: &Host, live: &Live, delivery: &Delivery) -> anyhow::Result<Attempt> {
    let subscription = &live.subscription;
    let started_at = host.clock.now();
    let number = delivery.attempts + 1;
    let Transformed { result, plugin_fault, logs, figures } = shape(host, live, delivery, number).await?;
    let (request, outcome, send_us) = match result {
        Ok(Shaped::Deliver(request)) => {
            let (sent, answer) =
                signed_and_sent(host, subscription, delivery.id, &request, timeout(subscription)).await;
            (Some(sent), judge(subscription, answer.result), answer.took_us)
        }
        Ok(Shaped::Skip(reason)) => (None, Outcome::Skipped(reason), 0),
        Err(fault) => (None, Outcome::PluginFailed(fault), 0),
    };
    Ok(Attempt {
        delivery_id: delivery.id,
        number,
        due_at: delivery.due_at,
        started_at,
        send_us,
        request,
        outcome,
        plugin_digest: digest(live, delivery),
        plugin_fault,
        figures,
        logs,
    })
}

/// Transforms with the code and the configuration that the delivery started with, or, at its first attempt, as its
/// subscription asks: with its plugin or without.
///
/// # Errors
/// If the host itself fails. What the plugin does wrong is in the result.
pub async fn shape(host: &Host, live: &Live, delivery: &Delivery, number: u32) -> anyhow::Result<Transformed> {
    let subscription = &live.subscription;
    let config = delivery.setup.as_ref().map_or_else(|| live.plugin_config(), |setup| Some(setup.config.as_str()));
    let plugin = match digest(live, delivery) {
        Some(digest) => Some(prepared(host, digest).await?),
        None => None,
    };
    let plugin = plugin.as_deref().zip(config).map(|(prepared, config)| Plugin { prepared, config });
    let input = transform::Input { delivery, attempt: number, subscription, selector: live.selector() };
    Ok(match plugin.filter(|_| subscription.on_failure() == OnFailure::DefaultShape) {
        Some(plugin) => transform::transform_or_default(&host.engine, &host.config.plugin, plugin, input).await?,
        None => transform::transform(&host.engine, &host.config.plugin, plugin, input).await?,
    })
}

/// The component of the plugin that shapes the delivery, if one does.
fn digest(live: &Live, delivery: &Delivery) -> Option<Digest> {
    match &delivery.setup {
        Some(setup) => setup.digest,
        None => live.subscription.plugin.as_ref().map(|plugin| plugin.digest),
    }
}

/// What a subscription allows its receiver.
pub(super) fn timeout(subscription: &Subscription) -> Duration {
    Duration::from_millis(subscription.timeout_ms.into())
}

/// The request as it goes out, with its secrets in it, and the headers that sign it at the present time.
pub fn signed<'a>(
    host: &Host,
    subscription: &Subscription,
    id: DeliveryId,
    request: &'a Request,
) -> (Cow<'a, Request>, HeaderMap) {
    let unsealed = transform::seal::unseal(request, subscription);
    let timestamp_s = host.clock.now().as_second();
    let signed = sign::Signed { id, timestamp_s, url: unsealed.url.as_str(), body: &unsealed.body };
    let signature = sign::sign(&subscription.signing, &subscription.secrets, &signed);
    (unsealed, signature)
}

/// Puts the secrets into the request, signs it with the present time, sends it, and keeps it as it was before.
pub(super) async fn signed_and_sent(
    host: &Host,
    subscription: &Subscription,
    id: DeliveryId,
    request: &Request,
    timeout: Duration,
) -> (SentRequest, send::Sent) {
    let (unsealed, signature) = signed(host, subscription, id, request);
    let mut sent = host.client.send(&unsealed, &signature, timeout).await;
    if let Ok(answer) = &mut sent.result {
        transform::seal::hide_in(answer, request, subscription);
    }
    (transform::request::as_sent(request, &signature, &subscription.headers), sent)
}

/// An answer is a success or a refusal by the subscription's codes; no answer is a fault.
pub(super) fn judge(subscription: &Subscription, answered: Result<Answer, SendFault>) -> Outcome {
    match answered {
        Ok(answer) if record::accepts(subscription, &answer) => Outcome::Succeeded(answer),
        Ok(answer) => Outcome::Refused(answer),
        Err(fault) => Outcome::Unreachable(fault),
    }
}

/// The plugin, from memory, from the cache on disk, or compiled from the store.
async fn prepared(host: &Host, digest: Digest) -> anyhow::Result<Arc<Prepared>> {
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
