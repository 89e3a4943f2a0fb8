//! Record: what follows from each outcome.

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
fn a_success_ends_the_delivery_without_a_word() {
    let next = after(1, &Outcome::Succeeded(answer(204, &[])));
    let expected = Transition { state: DeliveryState::Delivered, due_at: None, reason: None };
    assert_eq!(next, expected);
}

#[test]
fn a_refusal_is_tried_again_until_the_schedule_ends() {
    let refused = Outcome::Rejected(answer(500, &[]));
    assert_eq!((after(1, &refused).state, waits(&after(1, &refused))), (DeliveryState::Pending, 10));
    assert_eq!((after(2, &refused).state, waits(&after(2, &refused))), (DeliveryState::Pending, 20));
    let last = after(3, &refused);
    assert_eq!((last.state, last.due_at), (DeliveryState::Failed, None));
    assert_eq!(last.reason.as_deref(), Some("the receiver answered 500"));
}

#[test]
fn retry_after_is_obeyed_on_429_and_503_alone() {
    for (status, wait) in [(429, 60), (503, 60), (500, 10), (302, 10)] {
        let refused = Outcome::Rejected(answer(status, &[("Retry-After", "60")]));
        assert_eq!(waits(&after(1, &refused)), wait, "{status}");
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
fn no_answer_is_tried_again() {
    let fault = SendFault { code: SendFaultCode::Timeout, message: "no answer within 15 s".to_owned() };
    let next = after(1, &Outcome::Unreachable(fault));
    assert_eq!((next.state, next.reason.as_deref()), (DeliveryState::Pending, Some("no answer within 15 s")));
}

#[test]
fn a_plugins_failure_is_tried_again_only_if_it_says_so() {
    assert_eq!(after(1, &plugin_failed(true)).state, DeliveryState::Pending);
    assert_eq!(after(1, &plugin_failed(false)).state, DeliveryState::Failed);
    assert_eq!(after(3, &plugin_failed(true)).state, DeliveryState::Failed);
}

#[test]
fn a_skip_ends_the_delivery_with_its_reason() {
    let next = after(1, &Outcome::Skipped("not a customer".to_owned()));
    assert_eq!((next.state, next.reason.as_deref()), (DeliveryState::Skipped, Some("not a customer")));
}
