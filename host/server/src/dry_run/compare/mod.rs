//! Compare: what another version or configuration of a plugin would have made of events that happened.
//!
//! Both are run on the same events, newest first, each event alone, as for a first attempt ([`crate::dry_run::preview`]), and
//! what they make is held against each other ([`difference`]). Nothing is sent and nothing is written.
//!
//! It relies on plugins being deterministic: what follows from randomness is seeded alike for both. A plugin that
//! computes with a secret's placeholder computes with another one each time, and differs from itself.

mod body;
pub mod difference;

use std::time::{Duration, Instant};

use crate::dispatch::test_delivery;
use crate::dry_run::preview::{Preview, preview};
use crate::host::Host;
use crate::registry::CompiledSubscription;
use crate::stages::matching::Verdict;
use hookmill_model::{DeliveryId, Difference, Event, TransformOutcome};

/// Differences that are reported.
const DIFFERENCES_MAX: usize = 50;

/// Events that are looked at, whether they are wanted or not.
const LOOKED_AT_MAX: u64 = 10_000;

/// Events read at a time: they may be a megabyte each.
const PAGE: usize = 50;

/// What one of the two did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Events that it failed on, even if the default shape would go out then.
    pub failed: u64,
    /// Events of which it would send nothing.
    pub skipped: u64,
    /// The fuel that it used.
    pub fuel_used: u64,
    /// How long its transforms took.
    pub transform_us: u64,
}

impl Side {
    fn add(&mut self, preview: &Preview) {
        self.skipped += u64::from(matches!(preview.made, TransformOutcome::Skipped(_)));
        self.failed += u64::from(preview.fault().is_some());
        self.fuel_used += preview.figures.fuel_used;
        self.transform_us += preview.figures.transform_us;
    }
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Events that were looked at.
    pub looked_at: u64,
    /// Those that the subscription wants, which both were run on.
    pub events: u64,
    /// Those of which both make the same.
    pub same: u64,
    /// Those of which they do not.
    pub different: u64,
    /// What the subscription's own plugin did.
    pub before: Side,
    /// What the other one did.
    pub after: Side,
    /// The first differences, newest event first.
    pub differences: Vec<Difference>,
    /// Whether the time was over before the events were.
    pub timed_out: bool,
}

/// Compares two variants of a subscription over its last `last` events. When `time` is over, it ends with what it has.
///
/// # Errors
/// If the host itself fails. What the plugins do wrong is counted.
pub async fn compare(
    host: &Host,
    before: &CompiledSubscription,
    after: &CompiledSubscription,
    last: u64,
    time: Duration,
) -> anyhow::Result<Comparison> {
    let started = Instant::now();
    let mut comparison = Comparison::default();
    let mut older_than = None;
    loop {
        let page = host.store.events(&before.subscription.space, older_than, PAGE).await?;
        older_than = page.last().map(|event| event.id.clone());
        let whole = page.len() == PAGE;
        for event in page {
            if comparison.events == last || comparison.looked_at == LOOKED_AT_MAX {
                return Ok(comparison);
            }
            if started.elapsed() >= time {
                comparison.timed_out = true;
                return Ok(comparison);
            }
            comparison.looked_at += 1;
            if host.registry.verdict(before, &event) == Verdict::Wanted {
                one(host, before, after, event, &mut comparison).await?;
            }
        }
        if !whole {
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
    match differing(before.made, after.made).await {
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

/// How what was made differs, found out where it holds up nobody: bodies may be megabytes.
pub(crate) async fn differing(before: TransformOutcome, after: TransformOutcome) -> Option<difference::RequestDiff> {
    let finding = tokio::task::spawn_blocking(move || difference::between(&before, &after));
    finding.await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}
