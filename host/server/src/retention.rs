//! Retention: what came of deliveries is forgotten once its subscription's `keep_days` are over.
//!
//! Nothing rests on when this happens: a delivery that is still there a little longer harms nobody.

use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::host::Host;
use hookmill_store::StoreError;

/// How often it is looked for what is over: often enough for a limit in days.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Deliveries forgotten in one transaction, which holds up others' commits for some milliseconds.
const AT_ONCE: usize = 500;

/// Forgets, once an hour, until `shutdown`.
pub async fn run(host: &Host, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        if let Err(err) = run_once(host).await {
            tracing::error!(error = &err as &dyn std::error::Error, "forgetting old deliveries failed");
        }
        let next = host.clock.now().checked_add(EVERY).unwrap_or(jiff::Timestamp::MAX);
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
    let mut forgotten = 0;
    for compiled in host.registry.forgetful() {
        let days = compiled.subscription.keep_days.unwrap_or(u32::MAX);
        let Ok(before) = now.checked_sub(SignedDuration::from_hours(i64::from(days) * 24)) else { continue };
        loop {
            let count = host.store.forget(compiled.subscription.id, before, AT_ONCE).await?;
            forgotten += count;
            if count < AT_ONCE {
                break;
            }
        }
    }
    Ok(forgotten)
}
