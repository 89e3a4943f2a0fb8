//! Record: the transition that follows from each outcome.

use bytes::Bytes;
use hookmill_model::{
    Answer, DeliveryState, Outcome, PluginFault, PluginFaultCode, RetryPolicy, SendFault, SendFaultCode, Subscription,
};
use hookmill_server::stages::record::{Transition, decide};

use crate::support::fixtures::{start, subscription};

fn answer(status: u16, headers: &[(&str, &str)]) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer { status, headers, body: Bytes::new(), truncated: false }
}

fn three_tries() -> Subscription {
    let retry = RetryPolicy { schedule_s: vec![10, 20], jitter_percent: 0 };
    Subscription { retry, ..subscription("https://example.com/") }
}

fn after(number: u32, outcome: &Outcome) -> Transition {
    decide(&three_tries(), number, outcome, start(), 0.0)
}

fn waits(transition: &Transition) -> i64 {
    transition.due_at.unwrap().duration_since(start()).as_secs()
}

fn plugin_failed(retry: bool) -> Outcome {
    let message = "no".to_owned();
    Outcome::PluginFailed(PluginFault { code: PluginFaultCode::Failed, message, retry })
}

#[test]
fn a_success_ends_the_delivery_without_a_reason() {
    let next = after(1, &Outcome::Succeeded(answer(204, &[])));
    let expected = Transition { state: DeliveryState::Delivered, due_at: None, reason: None };
    assert_eq!(next, expected);
}

#[test]
fn a_rejection_is_retried_until_the_schedule_ends() {
    let rejected = Outcome::Rejected(answer(500, &[]));
    assert_eq!((after(1, &rejected).state, waits(&after(1, &rejected))), (DeliveryState::Pending, 10));
    assert_eq!((after(2, &rejected).state, waits(&after(2, &rejected))), (DeliveryState::Pending, 20));
    let last = after(3, &rejected);
    assert_eq!((last.state, last.due_at), (DeliveryState::Failed, None));
    assert_eq!(last.reason.as_deref(), Some("the receiver answered 500"));
}

#[test]
fn retry_after_is_obeyed_only_on_429_and_503() {
    for (status, wait) in [(429, 60), (503, 60), (500, 10), (302, 10)] {
        let rejected = Outcome::Rejected(answer(status, &[("Retry-After", "60")]));
        assert_eq!(waits(&after(1, &rejected)), wait, "{status}");
    }
}

#[test]
fn a_410_ends_the_delivery_if_it_pauses_the_subscription() {
    let gone = Outcome::Rejected(answer(410, &[]));
    assert_eq!(after(1, &gone).state, DeliveryState::Failed);
    let goes_on = Subscription { pause_on_gone: false, ..three_tries() };
    assert_eq!(decide(&goes_on, 1, &gone, start(), 0.0).state, DeliveryState::Pending);
}

#[test]
fn no_response_is_retried() {
    let fault = SendFault { code: SendFaultCode::Timeout, message: "no response within 15 s".to_owned() };
    let next = after(1, &Outcome::Unreachable(fault));
    assert_eq!((next.state, next.reason.as_deref()), (DeliveryState::Pending, Some("no response within 15 s")));
}

#[test]
fn a_plugins_fault_is_retried_only_if_it_says_so() {
    assert_eq!(after(1, &plugin_failed(true)).state, DeliveryState::Pending);
    assert_eq!(after(1, &plugin_failed(false)).state, DeliveryState::Failed);
    assert_eq!(after(3, &plugin_failed(true)).state, DeliveryState::Failed);
}

#[test]
fn a_skip_ends_the_delivery_with_its_reason() {
    let next = after(1, &Outcome::Skipped("not a customer".to_owned()));
    assert_eq!((next.state, next.reason.as_deref()), (DeliveryState::Skipped, Some("not a customer")));
}
