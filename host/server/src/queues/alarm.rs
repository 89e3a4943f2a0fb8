//! The alarm on which a loop sleeps: the earliest time at which anything is known to be due.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::clock::Clock;

/// An alarm clock that any task can set to an earlier time and that one loop waits for.
#[derive(Debug)]
pub struct Alarm {
    /// In microseconds; `i64::MAX` when no time is known.
    due_us: AtomicI64,
    changed: Notify,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { due_us: AtomicI64::new(i64::MAX), changed: Notify::new() }
    }
}

impl Alarm {
    /// Sets the alarm to `at`, unless it is set earlier already.
    pub fn due(&self, at: Timestamp) {
        let at = at.as_microsecond();
        if self.due_us.fetch_min(at, Ordering::AcqRel) > at {
            self.ring();
        }
    }

    /// Wakes the loop now.
    pub fn ring(&self) {
        self.changed.notify_one();
    }

    /// Returns the time that the alarm is set to.
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = self.due_us.load(Ordering::Acquire);
        (due != i64::MAX).then(|| Timestamp::from_microsecond(due).unwrap_or(Timestamp::MAX))
    }

    /// Clears the time. Called *before* the rows are queried, so that a time set during the query is kept.
    pub fn forget(&self) {
        self.due_us.store(i64::MAX, Ordering::Release);
    }

    /// Resolves at the next [`due`](Self::due) or [`ring`](Self::ring), even if it comes before the first poll.
    pub async fn changed(&self) {
        // A `Notify` stores one permit, and one loop reads it: a call made while it works is not lost.
        self.changed.notified().await;
    }

    /// Resolves when the time has come.
    pub async fn rung(&self, clock: &Clock) {
        loop {
            let due = self.next_due();
            if due.is_some_and(|due| due <= clock.now()) {
                return;
            }
            tokio::select! {
                () = self.changed() => {}
                () = async { clock.sleep_until(due.unwrap_or(Timestamp::MAX)).await }, if due.is_some() => {}
            }
        }
    }
}
