//! Activating and pausing a subscription.
//!
//! A subscription with a handshake stays `verifying`, in the store too, until its endpoint has passed: whenever the
//! process ends, no real event goes to an endpoint that did not agree. The handshake does not hold up other changes; if
//! the subscription is changed in the meantime, its result does not count.

use std::sync::Arc;

use hookmill_model::Activity;
use hookmill_model::{
    Handshake, HandshakeKind, HandshakeReport, PauseReason, SpaceId, Subscription, SubscriptionId, SubscriptionState,
};

use super::example;
use super::saving::{change, find, reread, save};
use crate::dispatch::handshake;
use crate::error::{Code, Error};
use crate::host::Host;
use crate::registry::Changing;
use crate::task::unbroken;

/// Activates a subscription, after its handshake if it has one.
///
/// # Errors
/// If it has no event types, its endpoint does not pass, it is changed during the handshake, or the store fails.
pub async fn activate(host: &Arc<Host>, space: SpaceId, id: SubscriptionId) -> Result<(Subscription, Activity), Error> {
    let host = Arc::clone(host);
    unbroken(async move {
        let (subscription, activity) = change(&host, space, id, |subscription| {
            if subscription.event_types.is_empty() {
                let detail = "the subscription has no event types yet: set `event_types` first";
                return Err(Error::new(Code::SubscriptionState, detail));
            }
            match (&subscription.handshake, subscription.state) {
                // An active endpoint has passed already.
                (_, SubscriptionState::Active) => {}
                (None, _) => set_active(subscription),
                (Some(_), _) => subscription.state = SubscriptionState::Verifying,
            }
            Ok(())
        })
        .await?;
        let subscription = verify(&host, subscription).await?;
        if subscription.state != SubscriptionState::Active {
            let reason = subscription.handshake_report.as_ref().map_or("", |report| report.reason.as_str());
            return Err(Error::new(Code::HandshakeRejected, reason));
        }
        Ok(reread(&host, (subscription, activity)).await)
    })
    .await
}

fn set_active(subscription: &mut Subscription) {
    subscription.state = SubscriptionState::Active;
    subscription.pause_reason = None;
    subscription.pause_detail = None;
}

/// Pauses a subscription at its owner's request.
///
/// # Errors
/// If it is a draft, or the store fails.
pub async fn pause(host: &Arc<Host>, space: SpaceId, id: SubscriptionId) -> Result<(Subscription, Activity), Error> {
    change(host, space, id, |subscription| {
        match subscription.state {
            SubscriptionState::Draft => {
                let detail = "the subscription is a draft: only an activated one can be paused";
                return Err(Error::new(Code::SubscriptionState, detail));
            }
            SubscriptionState::Paused => {}
            SubscriptionState::Verifying | SubscriptionState::Active | SubscriptionState::Deleted => {
                subscription.state = SubscriptionState::Paused;
                subscription.pause_reason = Some(PauseReason::Requested);
                subscription.pause_detail = None;
            }
        }
        Ok(())
    })
    .await
}

/// Makes the handshake of a subscription that is `verifying`, and activates it if its endpoint passes. Returns one in
/// any other state as it is.
///
/// # Errors
/// If it is changed in the meantime, or the host or the store fails.
pub(super) async fn verify(host: &Host, subscription: Subscription) -> Result<Subscription, Error> {
    let handshake = subscription.handshake.as_ref();
    let Some(handshake) = handshake.filter(|_| subscription.state == SubscriptionState::Verifying) else {
        return Ok(subscription);
    };
    let report = shake_hands(host, &subscription, handshake).await?;
    let changing = host.registry.changing().await;
    let mut now = check_unchanged(host, &changing, &subscription).await?;
    if report.passed {
        set_active(&mut now);
    }
    now.handshake_report = Some(report);
    save(host, &changing, &now).await?;
    Ok(now)
}

/// Makes a handshake with the endpoint of a subscription, whatever its state.
///
/// # Errors
/// If the host or the store fails.
pub(super) async fn shake_hands(
    host: &Host,
    subscription: &Subscription,
    handshake: &Handshake,
) -> Result<HandshakeReport, Error> {
    let event = match handshake.kind {
        HandshakeKind::TestEvent => Some(example::test_event(host, subscription).await?),
        HandshakeKind::EmptyPost | HandshakeKind::Head | HandshakeKind::CloudEvents => None,
    };
    let report = handshake::handshake(host, subscription, handshake, event).await;
    report.map_err(|err| Error::internal(&*err.into_boxed_dyn_error()))
}

/// Returns a subscription as stored, if it has not changed since it was read as `seen`.
///
/// # Errors
/// If it has, or the store fails.
pub(super) async fn check_unchanged(host: &Host, _: &Changing<'_>, seen: &Subscription) -> Result<Subscription, Error> {
    let (now, _) = find(host, &seen.space, seen.id).await?;
    if (now.state, now.updated_at, &now.plugin) == (seen.state, seen.updated_at, &seen.plugin) {
        return Ok(now);
    }
    let detail = "the subscription was changed by another request in the meantime: try again";
    Err(Error::new(Code::SubscriptionState, detail))
}
