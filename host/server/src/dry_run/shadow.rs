//! Shadow: a second plugin that runs on a subscription's live events without sending.
//!
//! Once the first attempt of a delivery is recorded, its outcome is queued ([`Shadows::push`](crate::queues::Shadows::push)). One task takes jobs from
//! the queue, runs the shadow on the same delivery, compares its output with what was sent, and counts. It never precedes
//! a delivery and never changes one. Shadows cost the host at most the CPU time of one thread and one slot of the engine;
//! jobs that do not fit into the queue are left out, and counted as left out.
//!
//! Counts are written at most once a second. A host that is killed loses those of the last second, and the queue.

use std::sync::Arc;

use hookmill_model::{Delivery, Difference, Tally, TransformOutcome};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::compare::difference_of;
use super::preview::{Preview, preview};
use crate::clock::after;
use crate::host::Host;
use crate::queues::ShadowJob;

/// The interval at which counts are written.
const WRITE_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Runs shadows until `shutdown`, then writes the counts.
pub async fn run(host: Arc<Host>, shutdown: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work(&host) => {}
    }
    write(&host).await;
}

/// Runs all waiting jobs and writes the counts; tests step with it.
pub async fn run_once(host: &Host) {
    while let Some(job) = host.shadows.pop() {
        run_shadow(host, job).await;
    }
    write(host).await;
}

async fn work(host: &Host) {
    let mut next_write = Timestamp::MIN;
    loop {
        // Registered before looking, so that a job that arrives in between is not missed.
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

/// Runs a shadow on one job.
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
            tracing::error!(subscription.id = %id, error = format!("{err:#}"), "shadow run failed");
            Tally { left_out: 1, ..Tally::default() }
        }
    };
    if is_current() {
        host.shadows.count(id, plugin, tally);
    }
}

/// Returns the counts of one run.
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
        *next_write = after(now, WRITE_EVERY);
    }
}

/// Writes the counts; returns false if there are none.
async fn write(host: &Host) -> bool {
    let counted = host.shadows.take_counted();
    if counted.is_empty() {
        return false;
    }
    if let Err(err) = host.store.count_shadows(counted).await {
        // Counts are not worth keeping in memory while the store fails.
        tracing::error!(error = &err as &dyn std::error::Error, "shadow counts lost");
    }
    true
}
