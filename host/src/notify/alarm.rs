//! What a loop of this stage sleeps on: the earliest time that anybody told.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::clock::Clock;

/// An alarm clock that anybody may set earlier, and one loop waits for.
#[derive(Debug)]
pub(super) struct Alarm {
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
    /// Tells that something is due at that time.
    pub(super) fn due(&self, at: Timestamp) {
        let at = at.as_microsecond();
        if self.due_us.fetch_min(at, Ordering::AcqRel) > at {
            self.changed.notify_one();
        }
    }

    /// Forgets the time, before the rows are asked: what is told after this is kept.
    pub(super) fn forget(&self) {
        self.due_us.store(i64::MAX, Ordering::Release);
    }

    /// Resolves when the time has come.
    pub(super) async fn rung(&self, clock: &Clock) {
        loop {
            let due_us = self.due_us.load(Ordering::Acquire);
            let due = Timestamp::from_microsecond(due_us).ok();
            if due.is_some_and(|due| due <= clock.now()) {
                return;
            }
            tokio::select! {
                // It keeps one permit: a time told since `due_us` was read is not overslept.
                () = self.changed.notified() => {}
                () = async { clock.sleep_until(due.unwrap_or(Timestamp::MAX)).await }, if due.is_some() => {}
            }
        }
    }
}
