//! One attempt at one delivery: transform → sign → send → record. One that repeats an earlier one begins in
//! [`repeat`] instead.
//!
//! Whatever the plugin or the receiver does wrong becomes an outcome and is recorded. Whatever *we* do wrong is an error
//! here: it is logged, nothing is recorded and no retry is used up; the claim lapses and the delivery is taken up again.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::repeat;
use crate::model::{
    Answer, Attempt, Delivery, DeliveryId, DeliveryState, Digest, OnFailure, Outcome, Request, SendFault, SentRequest,
    Setup, Subscription, SubscriptionState,
};
use crate::registry::Live;
use crate::shadow::Seen;
use crate::store::{PluginRun, Record, Recorded};
use crate::transform::{self, Plugin, Prepared, Shaped, Transformed};
use crate::{Host, record, send, sign};

/// What a claim must outlast beside the request's timeout: the transform, the record's commit, and clocks that differ.
const CLAIM_MARGIN: Duration = Duration::from_secs(6);

/// Makes the attempt, or sees that there is none to be made.
pub(super) async fn attempt(host: &Host, delivery: Delivery) {
    let Some(claimed_until) = delivery.claimed_until else { return };
    let id = delivery.id;
    if let Err(err) = try_attempt(host, delivery, claimed_until).await {
        tracing::error!(delivery.id = %id, error = format!("{err:#}"), "attempt given up, the claim will lapse");
        host.inbox.due(claimed_until);
    }
}

async fn try_attempt(host: &Host, delivery: Delivery, claimed_until: Timestamp) -> anyhow::Result<()> {
    let Some(live) = host.registry.get(delivery.subscription_id) else {
        let reason = "the subscription was deleted";
        return end_unsent(host, &delivery, claimed_until, DeliveryState::Cancelled, reason).await;
    };
    match live.subscription.state {
        SubscriptionState::Active => {}
        _ if delivery.test => {}
        SubscriptionState::Draft | SubscriptionState::Verifying | SubscriptionState::Paused => {
            let reason = "the subscription is not active";
            end_unsent(host, &delivery, claimed_until, DeliveryState::Held, reason).await?;
            // It may have been activated since we looked: then the row is pending, and nobody else would say so.
            host.inbox.due(delivery.due_at);
            return Ok(());
        }
        SubscriptionState::Deleted => unreachable!("the registry keeps no deleted subscription"),
    }
    if !outlasts(claimed_until, host.clock.now(), &live.subscription) {
        // It waited in memory for too long: somebody else may take it up before we are done.
        host.inbox.due(claimed_until);
        return Ok(());
    }
    let attempt = if delivery.exact {
        repeat::repeat(host, &live, &delivery).await?
    } else {
        make(host, &live, &delivery).await?
    };
    let seen = Seen::of(&live, &delivery, &attempt);
    finish(host, &live, &delivery, claimed_until, attempt).await?;
    host.shadows.push(seen);
    Ok(())
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

/// What the attempt tells of the plugin that the subscription has now; nothing if none ran, or another one.
fn plugin_run(live: &Live, delivery: &Delivery, attempt: &Attempt) -> Option<PluginRun> {
    let plugin = live.subscription.plugin.as_ref().filter(|_| !delivery.exact)?;
    let is_another =
        |setup: &Setup| setup.digest != Some(plugin.digest) || Some(setup.config.as_str()) != live.plugin_config();
    if delivery.setup.as_deref().is_some_and(is_another) {
        return None;
    }
    Some(PluginRun { failed: attempt.fault_of_plugin().is_some(), pause_after: plugin.pause_after })
}

/// What the delivery keeps for its next attempt: what shaped the first, if that is told already, or if another is due.
/// A delivery that succeeds at once keeps nothing.
fn setup(live: &Live, delivery: &Delivery, next: DeliveryState) -> Option<Arc<Setup>> {
    if delivery.setup.is_some() || delivery.exact || next != DeliveryState::Pending {
        return delivery.setup.clone();
    }
    let digest = live.subscription.plugin.as_ref().map(|plugin| plugin.digest);
    Some(Arc::new(Setup { digest, config: live.plugin_config().unwrap_or_default().to_owned() }))
}

/// Records the attempt and what follows from it.
async fn finish(
    host: &Host,
    live: &Live,
    delivery: &Delivery,
    claimed_until: Timestamp,
    attempt: Attempt,
) -> anyhow::Result<()> {
    let now = host.clock.now();
    let next = record::decide(&live.subscription, attempt.number, &attempt.outcome, now, rand::random());
    host.metrics.attempted(&attempt);
    tracing::debug!(
        delivery.id = %delivery.id,
        subscription.id = %delivery.subscription_id,
        attempt = attempt.number,
        outcome = attempt.outcome.as_str(),
        duration_ms = attempt.send_us / 1_000,
        "attempted"
    );
    let record = Record {
        delivery_id: delivery.id,
        subscription_id: delivery.subscription_id,
        claimed_until,
        state: next.state,
        due_at: next.due_at.unwrap_or(delivery.due_at),
        at: now,
        reason: next.reason,
        setup: setup(live, delivery, next.state),
        // A test tells its sender what came of it, and nobody else.
        pause: next.pause.filter(|_| !delivery.test),
        pause_after: live.subscription.pause_after_failures,
        plugin: plugin_run(live, delivery, &attempt),
        test: delivery.test,
        attempt: Some(attempt),
    };
    let may_pause = record.pause.is_some()
        || (record.pause_after.is_some() && next.state == DeliveryState::Failed)
        || record.plugin.as_ref().is_some_and(|run| run.pause_after.is_some() && run.failed);
    let paused = if may_pause {
        write_and_take_over(host, record, &live.subscription).await?
    } else {
        write(host, record).await?
    };
    if paused {
        host.notices.arose(now);
    } else if next.state == DeliveryState::Failed {
        host.notices.failed(now);
    }
    next.due_at.into_iter().for_each(|due_at| host.inbox.due(due_at));
    Ok(())
}

/// Writes a record that may pause its subscription, which nobody else changes meanwhile, and takes the subscription over
/// into memory as its row is then. True if it was paused.
async fn write_and_take_over(host: &Host, record: Record, subscription: &Subscription) -> anyhow::Result<bool> {
    let _changing = host.registry.changing().await;
    if !write(host, record).await? {
        return Ok(false);
    }
    if let Some((now, _)) = host.store.subscription(&subscription.space, subscription.id).await? {
        tracing::warn!(
            subscription.id = %now.id,
            state = now.state.as_str(),
            reason = now.pause_detail,
            "paused by what came of a delivery"
        );
        host.registry.put(now);
    }
    Ok(true)
}

/// Ends a claim without an attempt.
async fn end_unsent(
    host: &Host,
    delivery: &Delivery,
    claimed_until: Timestamp,
    state: DeliveryState,
    reason: &str,
) -> anyhow::Result<()> {
    let record = Record {
        delivery_id: delivery.id,
        subscription_id: delivery.subscription_id,
        claimed_until,
        attempt: None,
        state,
        due_at: delivery.due_at,
        at: host.clock.now(),
        reason: Some(reason.to_owned()),
        setup: delivery.setup.clone(),
        pause: None,
        pause_after: None,
        plugin: None,
        test: delivery.test,
    };
    write(host, record).await.map(|_| ())
}

/// Writes the record; true if it paused the subscription.
async fn write(host: &Host, record: Record) -> anyhow::Result<bool> {
    let id = record.delivery_id;
    match host.store.record(vec![record]).await?[..] {
        [Recorded::Written { paused }] => Ok(paused),
        _ => {
            // The claim lapsed and somebody else went on, or a caller cancelled it: theirs counts.
            tracing::warn!(delivery.id = %id, "the attempt came too late to be recorded");
            Ok(false)
        }
    }
}
