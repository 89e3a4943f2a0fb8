//! Compare: what another version or configuration of a plugin would have produced for past events.
//!
//! Both variants run on the same events, newest first, each event alone, as for a first attempt
//! ([`crate::dry_run::preview`]), and their outputs are compared ([`difference`]). Nothing is sent and nothing is written.
//!
//! It relies on plugins being deterministic: random numbers are seeded alike for both. A plugin that computes with a
//! secret's placeholder gets a different one each time, and differs from itself.

mod body;
pub mod difference;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::dispatch::test_delivery;
use crate::dry_run::preview::{Preview, preview};
use crate::host::Host;
use crate::registry::CompiledSubscription;
use crate::stages::matching::Verdict;
use hookmill_model::{DeliveryId, Difference, Event, TransformOutcome};

/// The most differences that are reported.
const DIFFERENCES_MAX: usize = 50;

/// The most events that are examined, whether they match or not.
const LOOKED_AT_MAX: u64 = 10_000;

/// The number of events read at a time: each may be a megabyte.
const PAGE: usize = 50;

/// The totals of one of the two variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VariantTotals {
    /// Events that it failed on, even if the default shape would be sent.
    pub failed: u64,
    /// Events that it skipped.
    pub skipped: u64,
    /// The fuel that it used.
    pub fuel_used: u64,
    /// The time that its transforms took.
    pub transform_us: u64,
}

impl VariantTotals {
    fn add(&mut self, preview: &Preview) {
        self.skipped += u64::from(matches!(preview.outcome, TransformOutcome::Skipped(_)));
        self.failed += u64::from(preview.fault().is_some());
        self.fuel_used += preview.figures.fuel_used;
        self.transform_us += preview.figures.transform_us;
    }
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Events that were examined.
    pub looked_at: u64,
    /// Events that match the subscription; both variants ran on them.
    pub events: u64,
    /// Events for which both produced the same.
    pub same: u64,
    /// Events for which they differed.
    pub different: u64,
    /// The totals of the subscription's own plugin.
    pub before: VariantTotals,
    /// The totals of the other variant.
    pub after: VariantTotals,
    /// The first differences, newest event first.
    pub differences: Vec<Difference>,
    /// Whether the time ran out before all events were examined.
    pub timed_out: bool,
}

/// Compares two variants of a subscription over its last `last` events. When `time` runs out, returns the result so far.
///
/// # Errors
/// If the host itself fails. The plugins' faults are counted.
pub async fn compare(
    host: &Host,
    before: &CompiledSubscription,
    after: &CompiledSubscription,
    last: u64,
    time: Duration,
) -> anyhow::Result<Comparison> {
    let started = Instant::now();
    let mut comparison = Comparison::default();
    let matched_by = Arc::new(CompiledSubscription::new(before.subscription.clone()));
    let mut older_than = None;
    loop {
        let page = host.store.events(&before.subscription.space, older_than, PAGE).await?;
        for event in page.entries {
            if comparison.events == last || comparison.looked_at == LOOKED_AT_MAX {
                return Ok(comparison);
            }
            if started.elapsed() >= time {
                comparison.timed_out = true;
                return Ok(comparison);
            }
            comparison.looked_at += 1;
            if host.registry.verdict(&matched_by, &event).await == Verdict::Wanted {
                one(host, before, after, event, &mut comparison).await?;
            }
        }
        older_than = page.next;
        if older_than.is_none() {
            return Ok(comparison);
        }
    }
}

async fn one(
    host: &Host,
    before: &CompiledSubscription,
    after: &CompiledSubscription,
    event: Event,
    into: &mut Comparison,
) -> anyhow::Result<()> {
    let (event_id, event_type) = (event.id.clone(), event.kind.clone());
    let delivery = test_delivery(&before.subscription, DeliveryId::new(host.clock.now()), event);
    let _turn = host.preview_slots.acquire().await;
    let before = preview(host, before, &delivery, 1).await?;
    let after = preview(host, after, &delivery, 1).await?;
    into.events += 1;
    into.before.add(&before);
    into.after.add(&after);
    match difference_of(before.outcome, after.outcome).await {
        None => into.same += 1,
        Some(difference::RequestDiff { list, more }) => {
            into.different += 1;
            if into.differences.len() < DIFFERENCES_MAX {
                into.differences.push(Difference { event_id, event_type, changes: list, more });
            }
        }
    }
    Ok(())
}

/// Compares two outcomes in a blocking task, since bodies may be megabytes.
pub async fn difference_of(before: TransformOutcome, after: TransformOutcome) -> Option<difference::RequestDiff> {
    let comparison = tokio::task::spawn_blocking(move || difference::between(&before, &after));
    comparison.await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}
