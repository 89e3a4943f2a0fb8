//! Retention: deletes final deliveries once their subscription's `keep_days` are over.
//!
//! Nothing depends on the exact time: a delivery that is kept a little longer does no harm.

use hookmill_store::StoreError;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::host::Host;

/// Deletes what has expired, once in each interval, until `shutdown`.
pub async fn run(host: &Host, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        if let Err(err) = run_once(host).await {
            tracing::error!(error = &err as &dyn std::error::Error, "deleting expired deliveries failed");
        }
        let interval = SignedDuration::from_secs(host.config.retention.interval_s.into());
        let next = host.clock.now().checked_add(interval).unwrap_or(jiff::Timestamp::MAX);
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = host.clock.sleep_until(next) => {}
        }
    }
}

/// Deletes all deliveries that have expired and returns their number.
///
/// # Errors
/// If the store fails.
pub async fn run_once(host: &Host) -> Result<usize, StoreError> {
    let now = host.clock.now();
    let delete_max = host.config.retention.delete_max;
    let mut deleted = 0;
    for compiled in host.registry.forgetful() {
        let days = compiled.subscription.keep_days.unwrap_or(u32::MAX);
        let Ok(before) = now.checked_sub(SignedDuration::from_hours(i64::from(days) * 24)) else { continue };
        loop {
            let count = host.store.forget(compiled.subscription.id, before, delete_max).await?;
            deleted += count;
            if count < delete_max {
                break;
            }
        }
    }
    Ok(deleted)
}
