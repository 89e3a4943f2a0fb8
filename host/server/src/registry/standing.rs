//! How a subscription has been doing, as far as lists are sorted by it: read from the store at the start, and followed.

use std::sync::atomic::{AtomicI64, Ordering};

use hookmill_model::{Activity, Attempt, Outcome};
use jiff::Timestamp;

/// Kept over changes of the subscription. What lists show is read from the store.
#[derive(Debug)]
pub struct Standing {
    /// When the last attempt began, in microseconds; `i64::MIN` if there was none.
    last_triggered: AtomicI64,
    /// Failed attempts in a row.
    failures: AtomicI64,
}

impl Default for Standing {
    fn default() -> Self {
        Self { last_triggered: AtomicI64::new(i64::MIN), failures: AtomicI64::new(0) }
    }
}

impl Standing {
    /// Takes over what is stored.
    pub(super) fn set(&self, activity: Activity) {
        let last_triggered = activity.last_triggered_at.map_or(i64::MIN, Timestamp::as_microsecond);
        self.last_triggered.store(last_triggered, Ordering::Relaxed);
        self.failures.store(activity.failure_streak.into(), Ordering::Relaxed);
    }

    /// Counts an attempt that is no test, as [`Activity::count`] does.
    pub fn attempted(&self, attempt: &Attempt) {
        self.last_triggered.fetch_max(attempt.started_at.as_microsecond(), Ordering::Relaxed);
        match attempt.outcome {
            Outcome::Succeeded(_) => self.forget_failures(),
            Outcome::Rejected(_) | Outcome::Unreachable(_) | Outcome::PluginFailed(_) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Skipped(_) => {}
        }
    }

    /// Forgets failures, as an activation does.
    pub(super) fn forget_failures(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    pub(super) fn last_triggered(&self) -> i64 {
        self.last_triggered.load(Ordering::Relaxed)
    }

    pub(super) fn failures(&self) -> i64 {
        self.failures.load(Ordering::Relaxed)
    }
}
