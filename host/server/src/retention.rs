//! Retention: what came of deliveries is forgotten once its subscription's `keep_days` are over.
//!
//! Nothing rests on when this happens: a delivery that is still there a little longer harms nobody.

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::host::Host;
use hookmill_store::StoreError;

/// Deletes what has expired, once in each interval, until `shutdown`.
pub async fn run(host: &Host, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        if let Err(err) = run_once(host).await {
            tracing::error!(error = &err as &dyn std::error::Error, "forgetting old deliveries failed");
        }
        let interval = SignedDuration::from_secs(host.config.retention.interval_s.into());
        let next = host.clock.now().checked_add(interval).unwrap_or(jiff::Timestamp::MAX);
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = host.clock.sleep_until(next) => {}
        }
    }
}

/// Forgets all whose time is over now; returns how many deliveries that were.
///
/// # Errors
/// If the store fails.
pub async fn run_once(host: &Host) -> Result<usize, StoreError> {
    let now = host.clock.now();
    let delete_max = host.config.retention.delete_max;
    let mut forgotten = 0;
    for live in host.registry.forgetful() {
        let days = live.subscription.keep_days.unwrap_or(u32::MAX);
        let Ok(before) = now.checked_sub(SignedDuration::from_hours(i64::from(days) * 24)) else { continue };
        loop {
            let count = host.store.forget(live.subscription.id, before, delete_max).await?;
            forgotten += count;
            if count < delete_max {
                break;
            }
        }
    }
    Ok(forgotten)
}
