//! Erasures: deletes what a caller asked for, step by step, until nothing of it can be read back.
//!
//! An erasure is a row; whatever ends the process, the next one goes on with it. Its rows are deleted first, a few dozen at
//! a time; what a worker is sending is waited for. Then the file's pages are gone through, for copies that deleted rows left in
//! them, and the log is emptied: once for all erasures that have got so far. After each step there is a pause, so
//! that others' commits hardly notice.

use std::time::{Duration, Instant};

use hookmill_model::{Erasure, ErasureState, ErasureTarget, SubscriptionState};
use hookmill_store::{ErasureStep, StoreError};
use tokio_util::sync::CancellationToken;

use crate::host::Host;
use crate::retention::give_way;

/// Pages searched in one step: a millisecond of reading.
const PAGES: u32 = 512;

/// The interval at which a delivery in flight, or a log that is being read, is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// The pause after the store failed.
const AFTER_ERROR: Duration = Duration::from_secs(10);

/// What a round of steps found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Round {
    /// Nothing is to be erased.
    Idle,
    /// All that is left is being sent at this moment.
    Waits,
    /// Something was done.
    Busy,
}

/// Carries out the erasures that are requested, until `shutdown`.
pub async fn run(host: &Host, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        let asked = host.erasures.notified();
        let wait = match round(host).await {
            Ok(Round::Busy) => continue,
            Ok(Round::Waits) => AGAIN,
            Ok(Round::Idle) => Duration::MAX,
            Err(err) => {
                tracing::error!(error = &err as &dyn std::error::Error, "erasing failed");
                AFTER_ERROR
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = asked => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Erases until nothing is left, or all that is left is being sent.
///
/// # Errors
/// If the store fails.
pub async fn run_once(host: &Host) -> Result<Round, StoreError> {
    loop {
        match round(host).await? {
            Round::Busy => {}
            other => return Ok(other),
        }
    }
}

/// Takes one step of each erasure; if none has rows left, ends them.
async fn round(host: &Host) -> Result<Round, StoreError> {
    let (erasing, cleaning): (Vec<_>, Vec<_>) =
        host.store.unfinished_erasures().await?.into_iter().partition(|erasure| erasure.state == ErasureState::Erasing);
    let mut found = Round::Idle;
    for erasure in &erasing {
        found = found.max(step(host, erasure).await?);
    }
    if found == Round::Busy || cleaning.is_empty() {
        return Ok(found);
    }
    clean(host).await?;
    for Erasure { id, .. } in &cleaning {
        host.store.finish_erasure(*id, host.clock.now()).await?;
        tracing::info!(erasure.id = %id, "erased");
    }
    Ok(Round::Busy)
}

async fn step(host: &Host, erasure: &Erasure) -> Result<Round, StoreError> {
    if erasure.target == ErasureTarget::Space {
        delete_subscriptions(host, erasure).await?;
    }
    let began = Instant::now();
    let step = host.store.step_erasure(erasure, host.clock.now(), host.config.retention.delete_max).await?;
    give_way(began).await;
    Ok(match step {
        ErasureStep::InFlight => Round::Waits,
        ErasureStep::More | ErasureStep::Erased => Round::Busy,
    })
}

/// Deletes the subscriptions of a space that is erased, so that nothing more is sent.
async fn delete_subscriptions(host: &Host, erasure: &Erasure) -> Result<(), StoreError> {
    for compiled in host.registry.all(|subscription| subscription.space == erasure.space) {
        let mut subscription = compiled.subscription.clone();
        subscription.state = SubscriptionState::Deleted;
        host.registry.changing().await.save(&subscription, host.clock.now()).await?;
    }
    Ok(())
}

/// Overwrites what deleted rows left in the file, and empties the log.
async fn clean(host: &Host) -> Result<(), StoreError> {
    let mut next = Some(1);
    while let Some(from) = next {
        let began = Instant::now();
        next = host.store.clean_pages(from, PAGES).await?;
        give_way(began).await;
    }
    while !host.store.empty_log().await? {
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}
