//! The only reader of time.
//!
//! Every stage gets its "now" as an argument from a caller that asked a [`Clock`]. Tests use a manual one, which stands
//! still until it is advanced, so that a retry after 24 hours takes no time to test.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// Returns the time that is so long after another; the last that there is, if it would be later.
pub fn after(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// A source of the present time; clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// Returns the system's wall clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Returns a clock that stands at `start` until [`advance`](Self::advance) moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(start))))
    }

    /// Returns the present in whole microseconds, the store's precision, so that a time read back equals the one written.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => whole_microseconds(Timestamp::now()),
            Source::Manual(now) => *now.borrow(),
        }
    }

    /// Moves a manual clock forward and wakes the tasks that sleep on it.
    ///
    /// # Panics
    /// If this is the system's clock.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::System => panic!("the system's clock cannot be advanced"),
            Source::Manual(now) => {
                let by = SignedDuration::try_from(by).expect("tests step by far less than 292 years");
                now.send_modify(|now| *now += by);
            }
        }
    }

    /// Returns at `due`, or at once if that has passed.
    ///
    /// The system's clock is read again after each sleep, since a sleep is measured on the monotonic clock and the wall
    /// clock may have been set in the meantime; each sleep lasts at most a minute for the same reason.
    pub async fn sleep_until(&self, due: Timestamp) {
        match &self.0 {
            Source::System => loop {
                let left = due.duration_since(Timestamp::now());
                if left <= SignedDuration::ZERO {
                    return;
                }
                let left = left.unsigned_abs().min(Duration::from_secs(60));
                tokio::time::sleep(left).await;
            },
            Source::Manual(now) => {
                let mut now = now.subscribe();
                // The sender lives in `self`, so it cannot be dropped during the wait.
                let _ = now.wait_for(|now| *now >= due).await;
            }
        }
    }
}

/// Truncates `at` to whole microseconds.
pub fn whole_microseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).expect("it came from a timestamp in range")
}
