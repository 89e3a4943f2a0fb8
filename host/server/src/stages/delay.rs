//! Delay: when is an attempt due.
//!
//! Pure: the present and chance come in as arguments. What is due when is written into rows by `record` and `accept`,
//! so a restart loses nothing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use hookmill_model::RetryPolicy;

/// The longest execution delay.
pub const DELAY_S_MAX: u32 = 30 * 24 * 60 * 60;

/// The longest wait that a receiver can ask for with `Retry-After`: the longest step of the default schedule, so that
/// a receiver cannot put its deliveries off for good.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// When a new delivery's first attempt is due.
pub fn first(accepted_at: Timestamp, delay_s: u32) -> Timestamp {
    later(accepted_at, Duration::from_secs(delay_s.into()))
}

/// When a batch that an event accepted at `accepted_at` begins takes no more events.
pub fn batch_end(accepted_at: Timestamp, window_s: u32) -> Timestamp {
    later(accepted_at, Duration::from_secs(window_s.into()))
}

/// When the attempt after `attempts` failed ones is due, or none if the schedule is at its end.
///
/// A wait is stretched by up to the policy's jitter, by `chance` (0 to 1), and never shortened; what the receiver asked
/// for with `Retry-After` is kept if it is longer.
pub fn next(
    policy: &RetryPolicy,
    attempts: u32,
    failed_at: Timestamp,
    retry_after: Option<Duration>,
    chance: f64,
) -> Option<Timestamp> {
    let step = usize::try_from(attempts.checked_sub(1)?).ok()?;
    let wait = Duration::from_secs((*policy.schedule_s.get(step)?).into());
    let stretched = wait.mul_f64(1.0 + f64::from(policy.jitter_percent) / 100.0 * chance.clamp(0.0, 1.0));
    Some(later(failed_at, stretched.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX))))
}

/// What a `Retry-After` header asks for (RFC 9110, 10.2.3): seconds, or a date. None if it is neither.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(at.duration_since(now).max(SignedDuration::ZERO).unsigned_abs())
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    let due = at.checked_add(by).unwrap_or(Timestamp::MAX);
    crate::clock::whole_microseconds(due)
}
