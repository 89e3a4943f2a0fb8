//! Pausing: when the results of its deliveries pause a subscription.
//!
//! Pure. The store counts each attempt in the subscription's [`Activity`] and asks [`PausePolicy::decide`], both in the
//! attempt's transaction.

use super::{Activity, CountedAttempt, Outcome, PauseReason, Subscription};

/// When to pause a subscription. By default: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PausePolicy {
    /// Whether a 410 response pauses it.
    pub on_gone: bool,
    /// The number of failed deliveries in a row that pauses it.
    pub after_failures: Option<u32>,
    /// The number of failures of its plugin in a row that pauses it.
    pub after_plugin_failures: Option<u32>,
}

/// A decision to pause a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The reason.
    pub reason: PauseReason,
    /// What led to it, for the subscription's owner.
    pub detail: String,
}

impl PausePolicy {
    /// Decides whether an attempt pauses its subscription; `activity` includes the attempt.
    pub fn decide(&self, counted: &CountedAttempt<'_>, activity: &Activity) -> Option<Pause> {
        let reason = counted.reason.unwrap_or_default();
        let reached = |failures, max: Option<u32>| max.is_some_and(|max| failures >= max);
        if self.is_gone(&counted.attempt.outcome) {
            return Some(Pause { reason: PauseReason::Gone, detail: reason.to_owned() });
        }
        if let Some(fault) = counted.plugin_fault()
            && reached(activity.plugin_failures, self.after_plugin_failures)
        {
            let (failures, last) = (activity.plugin_failures, &fault.message);
            let detail = format!("the plugin failed {failures} times in a row; last failure: {last}");
            return Some(Pause { reason: PauseReason::PluginFailures, detail });
        }
        if counted.failed_delivery() && reached(activity.failed_deliveries, self.after_failures) {
            let failures = activity.failed_deliveries;
            let detail = format!("{failures} deliveries in a row failed; last failure: {reason}");
            return Some(Pause { reason: PauseReason::Failures, detail });
        }
        None
    }

    /// Whether an attempt could pause its subscription, whatever happened before it.
    pub fn may_pause(&self, counted: &CountedAttempt<'_>) -> bool {
        let worst = Activity { failed_deliveries: u32::MAX, plugin_failures: u32::MAX, ..Activity::default() };
        self.decide(counted, &worst).is_some()
    }

    /// Whether an outcome means that the receiver is permanently gone (Standard Webhooks 1.0.0, "Response status
    /// codes").
    pub fn is_gone(&self, outcome: &Outcome) -> bool {
        self.on_gone && matches!(outcome, Outcome::Rejected(answer) if answer.status == 410)
    }
}

impl Subscription {
    /// When its owner wants it paused.
    pub fn pause_policy(&self) -> PausePolicy {
        PausePolicy {
            on_gone: self.pause_on_gone,
            after_failures: self.pause_after_failures,
            after_plugin_failures: self.plugin.as_ref().and_then(|plugin| plugin.pause_after),
        }
    }
}
