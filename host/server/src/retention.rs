//! Retention: deletes deliveries with their attempts, and events, that have expired or of which a space stores too much.
//!
//! A space's `keep_days` apply to its events and deliveries; a subscription's `keep_days` may be shorter for its deliveries. Beyond
//! the space's `keep_bytes`, the oldest are deleted first. What waits or is held stays.
//!
//! Nothing depends on the exact time: a delivery that is kept a little longer does no harm. So it gives way to all else: a few
//! dozen rows at a time, and after each step a pause of three times as long as the step took.

use std::time::{Duration, Instant};

use hookmill_model::{Space, SpaceId};
use hookmill_store::{Expired, Place, StoreError};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::clock::after;
use crate::host::Host;

/// Spaces read from the store at a time.
const PAGE: usize = 1_000;

/// The interval between looks at what each space stores, which cost no query: a burst can fill a disk within the hour.
const SIZES_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// How long what happened is counted by the minute; then by the hour.
const MINUTES_KEPT: SignedDuration = SignedDuration::from_hours(48);

/// Deletes what has expired, once in each interval, until `shutdown`.
pub async fn run(host: &Host, shutdown: &CancellationToken) {
    let mut next = host.clock.now();
    while !shutdown.is_cancelled() {
        let now = host.clock.now();
        let done = if now < next {
            forget_sizes(host).await
        } else {
            next = after(now, SignedDuration::from_secs(host.config.retention.interval_s.into()));
            run_once(host).await
        };
        if let Err(err) = done {
            tracing::error!(error = &err as &dyn std::error::Error, "deleting what has expired failed");
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = host.clock.sleep_until(after(host.clock.now(), SIZES_EVERY).min(next)) => {}
        }
    }
}

/// Deletes all that has expired, and returns the number of deliveries.
///
/// # Errors
/// If the store fails.
pub async fn run_once(host: &Host) -> Result<usize, StoreError> {
    let deliveries = forget_subscriptions(host).await? + forget_spaces(host).await?;
    Ok(deliveries + forget_sizes(host).await?)
}

/// Returns the time that is so many days before now; none if there is no such time.
fn days_ago(host: &Host, days: u32) -> Option<Timestamp> {
    host.clock.now().checked_sub(SignedDuration::from_hours(i64::from(days) * 24)).ok()
}

/// Deletes the deliveries of subscriptions that keep them for a shorter time than their space.
async fn forget_subscriptions(host: &Host) -> Result<usize, StoreError> {
    let limit = host.config.retention.delete_max;
    let mut deleted = 0;
    for compiled in host.registry.forgetful() {
        let days = compiled.subscription.keep_days.unwrap_or(u32::MAX);
        let Some(before) = days_ago(host, days) else { continue };
        loop {
            let began = Instant::now();
            let count = host.store.forget(compiled.subscription.id, before, limit).await?;
            deleted += count;
            if count < limit {
                break;
            }
            give_way(began).await;
        }
    }
    Ok(deleted)
}

/// Deletes what is older than its space's `keep_days`.
async fn forget_spaces(host: &Host) -> Result<usize, StoreError> {
    let mut deleted = 0;
    let mut after = None;
    let mut days_max = host.config.retention.keep_days;
    loop {
        let page = host.store.spaces(after, PAGE).await?;
        after = page.last().map(|space| space.id.clone());
        let last = page.len() < PAGE;
        for Space { id, retention, .. } in page {
            let days = host.config.retention.of(retention).keep_days;
            days_max = days_max.max(days.unwrap_or(0));
            if let Some(before) = days.and_then(|days| days_ago(host, days)) {
                let expired = Expired { accepted_before: Some(before), ended_before: before, bytes: None };
                deleted += forget(host, &id, || Some(expired)).await?;
            }
        }
        if last {
            break;
        }
    }
    sum_up_counts(host, days_max).await?;
    Ok(deleted)
}

/// Sums up what was counted by the minute, and deletes what is older than all history.
async fn sum_up_counts(host: &Host, days_max: u32) -> Result<(), StoreError> {
    let minutes_before = host.clock.now().checked_sub(MINUTES_KEPT).unwrap_or(Timestamp::MIN);
    let all_before = days_ago(host, days_max).unwrap_or(Timestamp::MIN);
    let mut next = Some(0);
    while let Some(after) = next {
        let began = Instant::now();
        let limit = host.config.retention.delete_max;
        next = host.store.sum_up_counts(after, minutes_before, all_before, limit).await?;
        give_way(began).await;
    }
    Ok(())
}

/// Deletes the oldest of the spaces that store more than their `keep_bytes`.
async fn forget_sizes(host: &Host) -> Result<usize, StoreError> {
    let mut deleted = 0;
    for (id, stored) in host.store.all_stored_bytes() {
        let Some(Space { retention, .. }) = host.store.space(&id).await? else { continue };
        let Some(max) = host.config.retention.of(retention).keep_bytes.filter(|max| stored > *max) else { continue };
        let too_much = || {
            let bytes = Some(host.store.stored_bytes(&id).checked_sub(max).filter(|bytes| *bytes > 0)?);
            Some(Expired { accepted_before: None, ended_before: Timestamp::MAX, bytes })
        };
        deleted += forget(host, &id, too_much).await?;
    }
    Ok(deleted)
}

/// Deletes what has expired of a space, step by step, as long as there is some; returns the number of deliveries.
async fn forget(host: &Host, space: &SpaceId, expired: impl Fn() -> Option<Expired>) -> Result<usize, StoreError> {
    let (mut deleted, mut place) = (0, Some(Place::default()));
    while let (Some(from), Some(expired)) = (place, expired()) {
        let began = Instant::now();
        let limit = host.config.retention.delete_max;
        let step = host.store.forget_events(space, expired, from, limit).await?;
        deleted += step.deliveries;
        place = step.next;
        if place.is_some() {
            give_way(began).await;
        }
    }
    Ok(deleted)
}

/// Waits three times as long as the step that began then has taken, some milliseconds at least: others have most of the time.
pub(crate) async fn give_way(began: Instant) {
    tokio::time::sleep(3 * began.elapsed().max(Duration::from_millis(1))).await;
}
