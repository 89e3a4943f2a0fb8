//! Pause: when an attempt's result pauses its subscription.

use hookmill_model::{
    Activity, Answer, Attempt, CountedAttempt, DeliveryId, DeliveryState, Figures, Outcome, Pause, PausePolicy,
    PauseReason, PluginFault, PluginFaultCode,
};

use crate::support::fixtures::start;

const POLICY: PausePolicy = PausePolicy { on_gone: true, after_failures: Some(3), after_plugin_failures: Some(2) };

fn attempt(outcome: Outcome) -> Attempt {
    Attempt {
        delivery_id: DeliveryId::new(start()),
        number: 1,
        due_at: start(),
        started_at: start(),
        send_us: 0,
        request: None,
        outcome,
        plugin_digest: None,
        plugin_fault: None,
        figures: Figures::default(),
        logs: vec![],
    }
}

fn answered(status: u16) -> Answer {
    Answer { status, headers: vec![], body: Default::default(), truncated: false }
}

fn succeeded() -> Attempt {
    attempt(Outcome::Succeeded(answered(200)))
}

fn rejected(status: u16) -> Attempt {
    attempt(Outcome::Rejected(answered(status)))
}

fn plugin_fault() -> PluginFault {
    PluginFault { code: PluginFaultCode::Failed, message: "no owner".to_owned(), retry: false }
}

fn failed(attempt: &Attempt) -> CountedAttempt<'_> {
    CountedAttempt { attempt, state: DeliveryState::Failed, reason: Some("it broke"), current_plugin: true }
}

/// Counts an attempt and decides.
fn after(activity: &mut Activity, counted: CountedAttempt<'_>) -> Option<Pause> {
    activity.count(&counted);
    POLICY.decide(&counted, activity)
}

#[test]
fn deliveries_that_fail_in_a_row_pause() {
    let (rejected, mut activity) = (rejected(500), Activity::default());
    assert_eq!(after(&mut activity, failed(&rejected)), None);
    // An attempt that is retried is no failed delivery.
    let retried = CountedAttempt { state: DeliveryState::Pending, ..failed(&rejected) };
    assert_eq!(after(&mut activity, retried), None);
    assert_eq!(after(&mut activity, failed(&rejected)), None);
    let detail = "3 deliveries in a row failed; last failure: it broke".to_owned();
    let pause = Pause { reason: PauseReason::Failures, detail };
    assert_eq!(after(&mut activity, failed(&rejected)), Some(pause));
    assert_eq!((activity.failure_streak, activity.failed_deliveries), (4, 3));
}

#[test]
fn a_success_ends_the_failures_and_a_skip_does_not() {
    let (succeeded, skipped, rejected) = (succeeded(), attempt(Outcome::Skipped("no".to_owned())), rejected(500));
    let mut activity = Activity { failure_streak: 5, failed_deliveries: 2, ..Activity::default() };
    let ended = |attempt| CountedAttempt { state: DeliveryState::Skipped, ..failed(attempt) };
    assert_eq!(after(&mut activity, ended(&skipped)), None);
    assert_eq!((activity.failure_streak, activity.failed_deliveries), (5, 2));
    let delivered = CountedAttempt { state: DeliveryState::Delivered, ..failed(&succeeded) };
    assert_eq!(after(&mut activity, delivered), None);
    assert_eq!(after(&mut activity, failed(&rejected)), None);
    assert_eq!((activity.failure_streak, activity.failed_deliveries), (1, 1));
}

#[test]
fn failures_of_the_current_plugin_in_a_row_pause() {
    let default_shape = Attempt { plugin_fault: Some(plugin_fault()), ..succeeded() };
    let sent = CountedAttempt { state: DeliveryState::Delivered, ..failed(&default_shape) };
    let mut activity = Activity::default();
    assert_eq!(after(&mut activity, sent), None);
    assert_eq!(after(&mut activity, CountedAttempt { current_plugin: false, ..sent }), None);
    assert_eq!(activity.plugin_failures, 1);
    let nothing_sent = attempt(Outcome::PluginFailed(plugin_fault()));
    let detail = "the plugin failed 2 times in a row; last failure: no owner".to_owned();
    let pause = Pause { reason: PauseReason::PluginFailures, detail };
    assert_eq!(after(&mut activity, failed(&nothing_sent)), Some(pause));
    let succeeded = succeeded();
    activity.count(&failed(&succeeded));
    assert_eq!(activity.plugin_failures, 0);
}

#[test]
fn a_410_pauses_if_its_owner_wants_that() {
    let gone = rejected(410);
    let pause = Pause { reason: PauseReason::Gone, detail: "it broke".to_owned() };
    assert_eq!(POLICY.decide(&failed(&gone), &Activity::default()), Some(pause));
    let policy = PausePolicy { on_gone: false, ..POLICY };
    assert_eq!(policy.decide(&failed(&gone), &Activity::default()), None);
}

#[test]
fn an_attempt_may_pause_if_enough_failures_before_it_would() {
    let (rejected, succeeded) = (rejected(500), succeeded());
    assert!(POLICY.may_pause(&failed(&rejected)));
    assert!(!POLICY.may_pause(&CountedAttempt { state: DeliveryState::Pending, ..failed(&rejected) }));
    assert!(!POLICY.may_pause(&CountedAttempt { state: DeliveryState::Delivered, ..failed(&succeeded) }));
    assert!(!PausePolicy::default().may_pause(&failed(&rejected)));
}
