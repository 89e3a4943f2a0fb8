//! Failure groups: when failures are reported, and how long they are quiet.

use hookmill_model::{DeliveryId, FailureGroup, Quiet};
use jiff::{SignedDuration, Timestamp};

use crate::support::fixtures::start;

const WINDOW: SignedDuration = SignedDuration::from_mins(1);
const DAY_MINUTES: i64 = 24 * 60;

fn at(minutes: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minutes)
}

fn opened(minutes: i64) -> FailureGroup {
    FailureGroup::open(at(minutes), Some("it broke".to_owned()), DeliveryId::new(start()))
}

fn fail(group: FailureGroup, minutes: i64) -> FailureGroup {
    group.fail(at(minutes), Some("again".to_owned()), DeliveryId::new(start()))
}

/// Reports a group, quiet for a day.
fn report(group: FailureGroup, minutes: i64) -> FailureGroup {
    group.reported(at(minutes), at(minutes + DAY_MINUTES))
}

#[test]
fn a_group_is_due_a_window_after_its_first_unreported_failure() {
    let group = fail(opened(0), 5);
    assert_eq!(group.due_at(WINDOW), Some(at(1)));
    assert_eq!((group.failures.count, group.failures.first_at, group.failures.last_at), (2, at(0), at(5)));
    assert_eq!(group.failures.last_reason.as_deref(), Some("again"));
}

#[test]
fn what_fails_after_a_report_waits_until_the_quiet_time_is_over() {
    let reported = report(opened(0), 1);
    assert_eq!(reported.due_at(WINDOW), None);
    let failed = fail(reported, 2);
    assert_eq!(failed.due_at(WINDOW), Some(at(1 + DAY_MINUTES)));
    assert_eq!(failed.failures.count, 2);
}

#[test]
fn a_success_shortens_the_quiet_time_to_an_hour_after_the_last_failure() {
    let ended = report(opened(0), 1).succeed().unwrap();
    assert_eq!((ended.ended, ended.quiet), (true, Quiet::Until(at(60))));
    let failed = fail(ended, 2);
    assert_eq!((failed.ended, failed.failures.count, failed.failures.first_at), (false, 1, at(2)));
    assert_eq!(failed.due_at(WINDOW), Some(at(60)));
}

#[test]
fn a_success_does_not_hide_what_is_unreported() {
    let ended = opened(0).succeed().unwrap();
    assert_eq!(ended.due_at(WINDOW), Some(at(1)));
    assert_eq!(fail(ended.clone(), 1).failures.count, 2);
    assert_eq!(report(ended, 1).quiet, Quiet::Until(at(61)));
}

#[test]
fn a_pause_reports_everything_until_a_success() {
    let paused = opened(0).reported_with_pause();
    let in_flight = fail(paused, 1);
    assert_eq!((in_flight.due_at(WINDOW), in_flight.quiet), (None, Quiet::UntilSuccess));
    assert_eq!(in_flight.succeed(), None);
}
