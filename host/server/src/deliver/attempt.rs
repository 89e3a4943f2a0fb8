//! One attempt at one delivery: transform → sign → send. One that sends an earlier request verbatim begins in [`repeat`]
//! instead. [`finish`](super::finish) records the result.
//!
//! Whatever the plugin or the receiver does wrong becomes an outcome and is recorded. Whatever the *host* does wrong is an
//! error here: it is logged, nothing is recorded and no retry is used; the lease expires and the delivery is leased again.

use hookmill_model::{Attempt, Delivery, DeliveryState, Outcome, Subscription, SubscriptionState};
use jiff::{SignedDuration, Timestamp};

use super::finish::{FinishedAttempt, end_unsent, given_up};
use super::repeat;
use crate::config::LEASE_MARGIN_S;
use crate::dispatch::transform::{TransformDecision, TransformReport};
use crate::dispatch::{digest, judge, shape, signed_and_sent, timeout};
use crate::host::Host;
use crate::registry::CompiledSubscription;

/// Makes the attempt; none if the delivery ends without one, or the host fails.
pub(super) async fn attempt(host: &Host, delivery: Delivery) -> Option<FinishedAttempt> {
    let leased_until = delivery.leased_until?;
    let id = delivery.id;
    let _in_flight = host.recent.begin(&delivery.event.space, delivery.attempts > 0, host.clock.now());
    try_attempt(host, delivery, leased_until).await.unwrap_or_else(|err| {
        given_up(host, id, leased_until, &err);
        None
    })
}

async fn try_attempt(
    host: &Host,
    delivery: Delivery,
    leased_until: Timestamp,
) -> anyhow::Result<Option<FinishedAttempt>> {
    let Some(compiled) = host.registry.get(delivery.subscription_id) else {
        let reason = "the subscription was deleted";
        end_unsent(host, &delivery, leased_until, DeliveryState::Cancelled, reason).await?;
        return Ok(None);
    };
    match compiled.subscription.state {
        SubscriptionState::Active => {}
        _ if delivery.test => {}
        SubscriptionState::Draft | SubscriptionState::Verifying | SubscriptionState::Paused => {
            let reason = "the subscription is not active";
            end_unsent(host, &delivery, leased_until, DeliveryState::Held, reason).await?;
            // It may have been activated meanwhile: then the row is pending, and nothing else sets the alarm.
            host.inbox.alarm().due(delivery.due_at);
            return Ok(None);
        }
        SubscriptionState::Deleted => unreachable!("the registry keeps no deleted subscription"),
    }
    if !outlasts(leased_until, host.clock.now(), &compiled.subscription) {
        // It waited in memory for too long: it could be leased again before this attempt has ended.
        host.inbox.alarm().due(leased_until);
        return Ok(None);
    }
    let attempt = if delivery.verbatim {
        repeat::repeat(host, &compiled, &delivery).await?
    } else {
        make(host, &compiled, &delivery).await?
    };
    Ok(Some(FinishedAttempt { compiled, delivery, leased_until, attempt }))
}

/// Whether a lease lasts until an attempt that begins now has certainly ended.
fn outlasts(leased_until: Timestamp, now: Timestamp, subscription: &Subscription) -> bool {
    let timeout = SignedDuration::from_millis(subscription.timeout_ms.into());
    leased_until.duration_since(now) >= timeout + SignedDuration::from_secs(LEASE_MARGIN_S.into())
}

/// Transforms, signs and sends.
async fn make(host: &Host, compiled: &CompiledSubscription, delivery: &Delivery) -> anyhow::Result<Attempt> {
    let subscription = &compiled.subscription;
    let started_at = host.clock.now();
    let number = delivery.attempts + 1;
    let TransformReport { result, plugin_fault, logs, figures } = shape(host, compiled, delivery, number).await?;
    let (request, outcome, send_us) = match result {
        Ok(TransformDecision::Deliver(request)) => {
            let (sent, answer) =
                signed_and_sent(host, subscription, delivery.id, &request, timeout(subscription)).await?;
            (Some(sent), judge(subscription, answer.result), answer.took_us)
        }
        Ok(TransformDecision::Skip(reason)) => (None, Outcome::Skipped(reason), 0),
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
        plugin_digest: digest(compiled, delivery),
        plugin_fault,
        figures,
        logs,
    })
}
