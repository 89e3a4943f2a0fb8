//! Shadow: a plugin that runs beside a subscription's own on live events, without sending.
//!
//! Once the first attempt at a delivery is recorded, what it made is put into a queue ([`Shadows::push`]). One task
//! takes from there, runs the shadow on the same delivery, holds what it makes against what was sent, and counts. It
//! never comes before a delivery and never changes one. All that shadows can take of the host is CPU, no more than one
//! thread has, and one turn of the engine; what the queue has no room for is left out, and counted as that.
//!
//! Counts are written at most once a second. A host that is killed loses those of the last second, and what stood in
//! the queue.

use std::sync::Arc;

use hookmill_model::{Delivery, Difference, Tally, TransformOutcome};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::compare::difference_of;
use super::preview::{Preview, preview};
use crate::host::Host;
use crate::queues::ShadowJob;

/// How often counts are written.
const WRITE_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Runs shadows until `shutdown`, and writes what was counted by then.
pub async fn run(host: Arc<Host>, shutdown: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work(&host) => {}
    }
    write(&host).await;
}

/// Runs the shadows of all that waits, and writes what was counted: how tests step.
pub async fn run_once(host: &Host) {
    while let Some(job) = host.shadows.pop() {
        run_shadow(host, job).await;
    }
    write(host).await;
}

async fn work(host: &Host) {
    let mut next_write = Timestamp::MIN;
    loop {
        // Registered before looking, so that nothing that comes in between is overslept.
        let changed = host.shadows.changed();
        while let Some(job) = host.shadows.pop() {
            run_shadow(host, job).await;
            write_at(host, &mut next_write).await;
        }
        write_at(host, &mut next_write).await;
        let counted = host.shadows.has_counted();
        tokio::select! {
            () = changed => {}
            () = host.clock.sleep_until(next_write), if counted => {}
        }
    }
}

/// Runs a shadow on what was sent.
async fn run_shadow(host: &Host, job: ShadowJob) {
    let id = job.subscription_id();
    let Some((plugin, variant)) = job.compiled.subscription.shadow.as_ref().zip(job.compiled.shadow_variant()) else {
        return;
    };
    let is_current =
        || host.registry.get(id).is_some_and(|compiled| compiled.subscription.shadow.as_ref() == Some(plugin));
    if !is_current() {
        return;
    }
    let run = preview(host, variant, &job.delivery, 1).await;
    let tally = match run {
        Ok(preview) => tally(&job.delivery, job.outcome, job.fuel_used, preview).await,
        Err(err) => {
            tracing::error!(subscription.id = %id, error = format!("{err:#}"), "a shadow could not be run");
            Tally { left_out: 1, ..Tally::default() }
        }
    };
    if is_current() {
        host.shadows.count(id, plugin, tally);
    }
}

/// One run, counted.
async fn tally(delivery: &Delivery, outcome: TransformOutcome, fuel_used_active: u64, preview: Preview) -> Tally {
    let fuel_used = preview.figures.fuel_used;
    let mut tally = Tally { runs: 1, fuel_used, fuel_used_active, ..Tally::default() };
    tally.skipped = u64::from(matches!(preview.outcome, TransformOutcome::Skipped(_)));
    tally.failed = preview.fault().map(|fault| (fault.code, 1)).into_iter().collect();
    match difference_of(outcome, preview.outcome).await {
        None => tally.same = 1,
        Some(changes) => {
            tally.different = 1;
            let event = &delivery.event;
            let (event_id, event_type) = (event.id.clone(), event.kind.clone());
            tally.differences = vec![Difference { event_id, event_type, changes: changes.list, more: changes.more }];
        }
    }
    tally
}

async fn write_at(host: &Host, next_write: &mut Timestamp) {
    let now = host.clock.now();
    if now >= *next_write && write(host).await {
        *next_write = now.checked_add(WRITE_EVERY).unwrap_or(Timestamp::MAX);
    }
}

/// Writes what was counted; false if there is nothing.
async fn write(host: &Host) -> bool {
    let counted = host.shadows.take_counted();
    if counted.is_empty() {
        return false;
    }
    if let Err(err) = host.store.count_shadows(counted).await {
        // They are counts: not worth holding on to while the store fails.
        tracing::error!(error = &err as &dyn std::error::Error, "what shadows did was not written");
    }
    true
}
