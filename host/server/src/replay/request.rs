//! Requesting, reading and canceling replays.

use std::sync::Arc;

use hookmill_model::{Pattern, Replay, ReplayId, ReplayState, ReplayWhat, SpaceId, Subscription, SubscriptionId};
use hookmill_store::{ListPart, NewReplay};
use jiff::Timestamp;

use crate::error::{Code, Error};
use crate::host::Host;
use crate::subscriptions::check;
use crate::task::unbroken;

/// Deliveries that a replay makes in a second, unless its request says otherwise: few enough for a usual receiver next to
/// its other deliveries.
pub const DELIVERIES_PER_S_DEFAULT: u32 = 100;

/// The most that it may make: well below what a host can do, so that live events keep the most of it.
pub const DELIVERIES_PER_S_MAX: u32 = 1_000;

/// Replays of one space that run at once: what they make together is bounded, too.
pub const RUNNING_MAX: usize = 4;

/// Ended replays of a subscription that are kept, to be looked at.
const ENDED_MAX: usize = 100;

/// The request of a replay.
#[derive(Clone, Debug)]
pub struct ReplayRequest {
    /// What it sends.
    pub what: ReplayWhat,
    /// The events accepted at or after this time.
    pub since: Timestamp,
    /// The events accepted before this time; now by default.
    pub until: Option<Timestamp>,
    /// The events of these types; by default those of the subscription, and of failed deliveries all.
    pub event_types: Option<Vec<Pattern>>,
    /// The events for which this CEL expression is true; by default that of the subscription, and of failed deliveries none.
    pub condition: Option<String>,
    /// Only events of which the subscription has no delivery.
    pub only_missing: bool,
    /// The most deliveries that it makes in a second.
    pub deliveries_per_s: Option<u32>,
}

/// Starts a replay.
///
/// # Errors
/// If a member of the request is wrong, the subscription does not exist, too many replays of the space are running, or the
/// store fails.
pub async fn create(
    host: &Arc<Host>,
    space: &SpaceId,
    subscription: SubscriptionId,
    request: ReplayRequest,
) -> Result<Replay, Error> {
    let compiled = host.registry.get(subscription).filter(|compiled| compiled.subscription.space == *space);
    let compiled = compiled.ok_or_else(|| Error::not_found("subscription", subscription))?;
    let new = checked(host, &compiled.subscription, request).await?;
    let host = host.clone();
    unbroken(async move {
        let created = host.store.create_replay(new, RUNNING_MAX, ENDED_MAX).await?;
        let replay = created.ok_or_else(|| {
            let detail = format!("{RUNNING_MAX} replays of the space are running: wait for one to end, or cancel one");
            Error::new(Code::QuotaReached, detail)
        })?;
        host.replays.due(replay.next_at);
        Ok(replay)
    })
    .await
}

async fn checked(host: &Host, subscription: &Subscription, request: ReplayRequest) -> Result<NewReplay, Error> {
    let ReplayRequest { what, since, until, event_types, condition, only_missing, deliveries_per_s } = request;
    let event_types = event_types.map(|given| check::event_types(Some(given), false)).transpose()?;
    let condition = check::condition(&subscription.space, condition).await?;
    let deliveries_per_s = deliveries_per_s.unwrap_or(DELIVERIES_PER_S_DEFAULT);
    if !(1..=DELIVERIES_PER_S_MAX).contains(&deliveries_per_s) {
        return Err(Error::field("/deliveries_per_s", format!("1 to {DELIVERIES_PER_S_MAX} deliveries")));
    }
    let now = host.clock.now();
    if until.is_some_and(|until| until > now) {
        return Err(Error::field("/until", "expected a time that is not in the future"));
    }
    let until = until.unwrap_or(now);
    if since >= until {
        return Err(Error::field("/since", format!("expected a time before {until}, at which the replay ends")));
    }
    if only_missing && what == ReplayWhat::Failed {
        return Err(Error::field("/only_missing", "expected false: only a replay of events can send what is missing"));
    }
    let (event_types, condition) = match what {
        ReplayWhat::Events => (
            Some(event_types.unwrap_or_else(|| subscription.event_types.clone())),
            condition.or_else(|| subscription.condition.clone()),
        ),
        ReplayWhat::Failed => (event_types, condition),
    };
    Ok(NewReplay {
        space: subscription.space.clone(),
        subscription_id: subscription.id,
        what,
        since,
        until,
        event_types,
        condition,
        only_missing,
        deliveries_per_s,
        created_at: now,
    })
}

/// Returns a replay.
///
/// # Errors
/// If it does not exist, or the store fails.
pub async fn find(host: &Host, space: &SpaceId, subscription: SubscriptionId, id: ReplayId) -> Result<Replay, Error> {
    let found = host.store.replay(space, subscription, id).await?;
    found.ok_or_else(|| Error::not_found("replay", id))
}

/// Returns a part of a subscription's replays, newest first.
///
/// # Errors
/// If the subscription does not exist, or the store fails.
pub async fn list(
    host: &Host,
    space: &SpaceId,
    subscription: SubscriptionId,
    before: Option<ReplayId>,
    limit: usize,
) -> Result<ListPart<Replay, ReplayId>, Error> {
    let known = host.registry.get(subscription).is_some_and(|compiled| compiled.subscription.space == *space);
    if !known {
        return Err(Error::not_found("subscription", subscription));
    }
    Ok(host.store.replays(space, subscription, before, limit).await?)
}

/// Cancels a replay, unless it has ended; returns it as it is then. What it has made is sent.
///
/// # Errors
/// If it does not exist, or the store fails.
pub async fn cancel(host: &Host, space: &SpaceId, subscription: SubscriptionId, id: ReplayId) -> Result<Replay, Error> {
    find(host, space, subscription, id).await?;
    host.store.end_replay(id, ReplayState::Cancelled, None, host.clock.now()).await?;
    find(host, space, subscription, id).await
}
