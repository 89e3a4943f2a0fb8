//! The activity of a subscription: its failures in a row, counted attempt by attempt.

use jiff::Timestamp;

use super::{Attempt, DeliveryState, Outcome, PluginFault};

/// How a subscription has been doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Failed attempts in a row.
    pub failure_streak: u32,
    /// Failed deliveries in a row.
    pub failed_deliveries: u32,
    /// Failures of its plugin in a row.
    pub plugin_failures: u32,
    /// When its last attempt began.
    pub last_triggered_at: Option<Timestamp>,
}

/// An attempt that counts for its subscription, with its effect on the delivery. Attempts of tests do not count.
#[derive(Clone, Copy, Debug)]
pub struct CountedAttempt<'a> {
    /// The attempt.
    pub attempt: &'a Attempt,
    /// The delivery's next state.
    pub state: DeliveryState,
    /// Why the delivery is in that state.
    pub reason: Option<&'a str>,
    /// Whether the plugin that ran is the one that the subscription has now. The results of another one do not count.
    pub current_plugin: bool,
}

impl<'a> CountedAttempt<'a> {
    /// The failure of the subscription's current plugin, if it failed.
    pub(super) fn plugin_fault(&self) -> Option<&'a PluginFault> {
        self.attempt.fault_of_plugin().filter(|_| self.current_plugin)
    }

    /// Whether the delivery failed with this attempt.
    pub(super) fn failed_delivery(&self) -> bool {
        self.state == DeliveryState::Failed
    }
}

impl Activity {
    /// Counts an attempt.
    pub fn count(&mut self, counted: &CountedAttempt<'_>) {
        self.last_triggered_at = self.last_triggered_at.max(Some(counted.attempt.started_at));
        match counted.attempt.outcome {
            Outcome::Succeeded(_) => (self.failure_streak, self.failed_deliveries) = (0, 0),
            Outcome::Rejected(_) | Outcome::Unreachable(_) | Outcome::PluginFailed(_) => {
                self.failure_streak = self.failure_streak.saturating_add(1);
                self.failed_deliveries = self.failed_deliveries.saturating_add(u32::from(counted.failed_delivery()));
            }
            // Nothing was sent, so nothing is known of the receiver.
            Outcome::Skipped(_) => {}
        }
        if counted.current_plugin {
            let failed = counted.plugin_fault().is_some();
            self.plugin_failures = if failed { self.plugin_failures.saturating_add(1) } else { 0 };
        }
    }
}
