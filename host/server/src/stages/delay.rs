//! Delay: the due time of an attempt.
//!
//! Pure: the present and the random number are arguments. The due time is stored with the delivery, so a restart loses
//! nothing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use hookmill_model::RetryPolicy;

/// The longest execution delay.
pub const DELAY_S_MAX: u32 = 30 * 24 * 60 * 60;

/// The longest wait that a receiver can request with `Retry-After`: the longest step of the default schedule, so that a
/// receiver cannot postpone its deliveries indefinitely.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns when a new delivery's first attempt is due.
pub fn first(accepted_at: Timestamp, delay_s: u32) -> Timestamp {
    later(accepted_at, Duration::from_secs(delay_s.into()))
}

/// Returns when a batch closes that starts with an event accepted at `accepted_at`.
pub fn batch_end(accepted_at: Timestamp, window_s: u32) -> Timestamp {
    later(accepted_at, Duration::from_secs(window_s.into()))
}

/// Returns when the attempt after `attempts` failed ones is due, or none at the end of the schedule.
///
/// A wait is extended by up to the policy's jitter, scaled by `chance` (0 to 1), and never shortened; a longer
/// `Retry-After` of the receiver takes precedence.
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

/// Parses a `Retry-After` header (RFC 9110, 10.2.3): seconds, or a date. None if it is neither.
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
