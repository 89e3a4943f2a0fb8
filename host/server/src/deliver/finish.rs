//! Recording attempts, and what follows once they are committed.
//!
//! The attempts that ended while the previous ones were being written are recorded together, since a commit has a fixed
//! cost.

use std::sync::Arc;

use hookmill_model::{
    Attempt, Delivery, DeliveryId, DeliveryState, Outcome, PausePolicy, PinnedPlugin, SendFaultCode, Subscription,
};
use hookmill_store::{Record, Recorded};
use jiff::Timestamp;

use super::lane::Ended;
use crate::host::Host;
use crate::queues::{ShadowJob, commits};
use crate::registry::CompiledSubscription;
use crate::stages::record::{self, Transition};

/// A finished attempt that is to be recorded.
pub(super) struct FinishedAttempt {
    /// Its subscription at the time of the attempt.
    pub(super) compiled: Arc<CompiledSubscription>,
    pub(super) delivery: Delivery,
    /// The lease under which it was made.
    pub(super) leased_until: Timestamp,
    pub(super) attempt: Attempt,
}

impl FinishedAttempt {
    /// The rows for which its record counts.
    pub(super) fn rows(&self) -> usize {
        let sent = self.attempt.request.as_ref().map_or(0, |request| request.body.len());
        let answered = match &self.attempt.outcome {
            Outcome::Succeeded(answer) | Outcome::Rejected(answer) => answer.body.len(),
            Outcome::Unreachable(_) | Outcome::Skipped(_) | Outcome::PluginFailed(_) => 0,
        };
        commits::rows(1, sent + answered)
    }

    /// What it says of the receiver.
    pub(super) fn ended(&self) -> Ended {
        match &self.attempt.outcome {
            Outcome::Succeeded(_) | Outcome::Rejected(_) => Ended::Answered,
            Outcome::Unreachable(fault) if fault.code == SendFaultCode::Timeout => Ended::TimedOut,
            Outcome::Unreachable(_) | Outcome::Skipped(_) | Outcome::PluginFailed(_) => Ended::Otherwise,
        }
    }
}

/// Whether the delivery is shaped by the plugin and configuration that its subscription has now.
fn has_current_plugin(compiled: &CompiledSubscription, delivery: &Delivery) -> bool {
    let Some(plugin) = &compiled.subscription.plugin else { return false };
    let is_current = |pinned: &PinnedPlugin| {
        pinned.digest == Some(plugin.digest) && Some(pinned.config.as_str()) == compiled.plugin_config()
    };
    !delivery.verbatim && delivery.pinned.as_deref().is_none_or(is_current)
}

/// Returns the pinned plugin for the delivery's next attempt: the one that it has, or the current one if a retry is due.
/// A delivery that succeeds at once keeps nothing.
fn pinned(compiled: &CompiledSubscription, delivery: &Delivery, next: DeliveryState) -> Option<Arc<PinnedPlugin>> {
    if delivery.pinned.is_some() || delivery.verbatim || next != DeliveryState::Pending {
        return delivery.pinned.clone();
    }
    let digest = compiled.subscription.plugin.as_ref().map(|plugin| plugin.digest);
    Some(Arc::new(PinnedPlugin { digest, config: compiled.plugin_config().unwrap_or_default().to_owned() }))
}

/// Records attempts in order, and does what follows from them.
///
/// They share one transaction, except for those that may pause their subscription. An error affects only its own attempt:
/// if the shared transaction fails, each attempt is recorded on its own.
pub(super) async fn record_all(host: &Host, attempts: Vec<FinishedAttempt>) {
    let mut together = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        let finished = Finished::new(host, attempt);
        if finished.may_pause {
            record_together(host, std::mem::take(&mut together)).await;
            record_alone(host, finished).await;
        } else {
            together.push(finished);
        }
    }
    record_together(host, together).await;
}

/// An attempt's record, and what is to be done once it is committed.
struct Finished {
    record: Record,
    /// Whether the record may pause its subscription.
    may_pause: bool,
    after: After,
}

/// What is to be done once an attempt's record is committed.
struct After {
    compiled: Arc<CompiledSubscription>,
    state: DeliveryState,
    at: Timestamp,
    /// When the next attempt is due.
    due_at: Option<Timestamp>,
    shadow_job: Option<ShadowJob>,
}

impl Finished {
    fn new(host: &Host, finished: FinishedAttempt) -> Self {
        let FinishedAttempt { compiled, delivery, leased_until, attempt } = finished;
        let now = host.clock.now();
        let number = attempt.number;
        let Transition { state, due_at, reason } =
            record::decide(&compiled.subscription, number, &attempt.outcome, now, rand::random());
        host.metrics.attempted(&attempt);
        if !delivery.test {
            compiled.standing.attempted(&attempt);
            host.recent.attempted(&compiled.subscription, &attempt, state, now);
        }
        tracing::debug!(
            delivery.id = %delivery.id,
            subscription.id = %delivery.subscription_id,
            attempt = number,
            outcome = attempt.outcome.as_str(),
            duration_ms = attempt.send_us / 1_000,
            "attempt finished"
        );
        let shadow_job = ShadowJob::of(&compiled, &delivery, &attempt);
        let record = Record {
            delivery_id: delivery.id,
            subscription_id: delivery.subscription_id,
            leased_until,
            state,
            due_at: due_at.unwrap_or(delivery.due_at),
            at: now,
            reason,
            pinned: pinned(&compiled, &delivery, state),
            pause_policy: compiled.subscription.pause_policy(),
            current_plugin: has_current_plugin(&compiled, &delivery),
            test: delivery.test,
            attempt: Some(attempt),
        };
        let may_pause = record.may_pause();
        Self { record, may_pause, after: After { compiled, state, at: now, due_at, shadow_job } }
    }
}

impl After {
    /// Notifies the loops that depend on the attempt.
    fn written(self, host: &Host, paused: bool) {
        if paused {
            host.notices.arose(self.at);
        } else if self.state == DeliveryState::Failed {
            host.notices.failed(self.at);
        }
        self.due_at.into_iter().for_each(|due_at| host.inbox.alarm().due(due_at));
        host.shadows.push(self.shadow_job);
    }
}

async fn record_together(host: &Host, finished: Vec<Finished>) {
    if finished.is_empty() {
        return;
    }
    let (records, after): (Vec<_>, Vec<_>) = finished.into_iter().map(|it| (it.record, it.after)).unzip();
    let records: Arc<[Record]> = records.into();
    match host.store.record(Arc::clone(&records)).await {
        Ok(recorded) => {
            for ((record, after), recorded) in records.iter().zip(after).zip(recorded) {
                after.written(host, paused(record.delivery_id, recorded));
            }
        }
        Err(_) => {
            for (record, after) in records.iter().zip(after) {
                record_alone(host, Finished { record: record.clone(), may_pause: false, after }).await;
            }
        }
    }
}

async fn record_alone(host: &Host, Finished { record, may_pause, after }: Finished) {
    let (id, leased_until) = (record.delivery_id, record.leased_until);
    let written = if may_pause {
        write_and_reload(host, record, &after.compiled.subscription).await
    } else {
        write(host, record).await
    };
    match written {
        Ok(paused) => after.written(host, paused),
        Err(err) => given_up(host, id, leased_until, &err),
    }
}

/// Logs an abandoned attempt, and has its delivery picked up again when its lease expires.
pub(super) fn given_up(host: &Host, id: DeliveryId, leased_until: Timestamp, err: &anyhow::Error) {
    tracing::error!(
        delivery.id = %id,
        delivery.leased_until = %leased_until,
        error = format!("{err:#}"),
        "attempt abandoned, its lease will expire"
    );
    host.inbox.alarm().due(leased_until);
}

/// Writes a record that may pause its subscription, with the lock for changes of subscriptions, and reloads the
/// subscription if it was paused. True if it was.
async fn write_and_reload(host: &Host, record: Record, subscription: &Subscription) -> anyhow::Result<bool> {
    let changing = host.registry.changing().await;
    if !write(host, record).await? {
        return Ok(false);
    }
    if let Some(now) = changing.reload(&subscription.space, subscription.id).await? {
        tracing::warn!(
            subscription.id = %now.id,
            subscription.state = now.state.as_str(),
            subscription.pause_detail = now.pause_detail,
            "subscription paused"
        );
    }
    Ok(true)
}

/// Ends a lease without an attempt.
pub(super) async fn end_unsent(
    host: &Host,
    delivery: &Delivery,
    leased_until: Timestamp,
    state: DeliveryState,
    reason: &str,
) -> anyhow::Result<()> {
    let record = Record {
        delivery_id: delivery.id,
        subscription_id: delivery.subscription_id,
        leased_until,
        attempt: None,
        state,
        due_at: delivery.due_at,
        at: host.clock.now(),
        reason: Some(reason.to_owned()),
        pinned: delivery.pinned.clone(),
        pause_policy: PausePolicy::default(),
        current_plugin: false,
        test: delivery.test,
    };
    write(host, record).await.map(|_| ())
}

/// Writes the record; true if it paused the subscription.
async fn write(host: &Host, record: Record) -> anyhow::Result<bool> {
    let id = record.delivery_id;
    let recorded = host.store.record(Arc::new([record])).await?;
    Ok(recorded.into_iter().any(|recorded| paused(id, recorded)))
}

fn paused(id: DeliveryId, recorded: Recorded) -> bool {
    match recorded {
        Recorded::Written { paused } => paused,
        Recorded::Stale => {
            // The lease expired and another worker took over, or a caller cancelled the delivery: their record counts.
            tracing::warn!(delivery.id = %id, "attempt discarded: its lease had expired or its delivery was cancelled");
            false
        }
    }
}
