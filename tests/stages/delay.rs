//! Delay: when attempts are due.

use std::time::Duration;

use hookmill_model::RetryPolicy;
use hookmill_server::stages::delay;
use jiff::{SignedDuration, Timestamp};

use crate::support::fixtures::start;

fn wait(policy: &RetryPolicy, attempts: u32, retry_after: Option<u64>, chance: f64) -> Option<i64> {
    let retry_after = retry_after.map(Duration::from_secs);
    let due = delay::next(policy, attempts, start(), retry_after, chance)?;
    Some(due.duration_since(start()).as_secs())
}

fn no_jitter() -> RetryPolicy {
    RetryPolicy { jitter_percent: 0, ..RetryPolicy::default() }
}

#[test]
fn the_default_schedule_is_that_of_standard_webhooks() {
    let waits: Vec<_> = (1..).map_while(|attempts| wait(&no_jitter(), attempts, None, 0.5)).collect();
    assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
}

#[test]
fn jitter_stretches_a_wait_and_never_shortens_it() {
    let policy = RetryPolicy { schedule_s: vec![100], jitter_percent: 10 };
    assert_eq!(wait(&policy, 1, None, 0.0), Some(100));
    assert_eq!(wait(&policy, 1, None, 0.5), Some(105));
    assert_eq!(wait(&policy, 1, None, 1.0), Some(110));
}

#[test]
fn retry_after_is_kept_when_it_is_longer_than_the_schedule() {
    assert_eq!(wait(&no_jitter(), 1, Some(120), 0.0), Some(120));
    assert_eq!(wait(&no_jitter(), 2, Some(120), 0.0), Some(300));
}

#[test]
fn retry_after_is_capped_at_a_day_and_adds_no_attempt() {
    assert_eq!(wait(&no_jitter(), 1, Some(u64::MAX), 0.0), Some(86_400));
    assert_eq!(wait(&no_jitter(), 10, Some(5), 0.0), None);
}

#[test]
fn an_empty_schedule_allows_one_attempt() {
    let policy = RetryPolicy { schedule_s: vec![], jitter_percent: 0 };
    assert_eq!(wait(&policy, 1, None, 0.0), None);
}

#[test]
fn retry_after_is_read_as_seconds_or_as_a_date() {
    let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
    let read = |value| delay::retry_after(value, now).map(|wait| wait.as_secs());
    assert_eq!(read("120"), Some(120));
    assert_eq!(read(" 7 "), Some(7));
    assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
    assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
    for nonsense in ["", "soon", "-5", "1.5", "99999999999999999999999"] {
        assert_eq!(read(nonsense), None, "{nonsense:?}");
    }
}

#[test]
fn a_delay_counts_from_acceptance() {
    let due = delay::first(start(), delay::DELAY_S_MAX);
    assert_eq!(due.duration_since(start()), SignedDuration::from_hours(30 * 24));
}
