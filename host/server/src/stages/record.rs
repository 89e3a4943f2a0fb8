//! Record: the transition of a delivery that follows from an attempt's outcome.
//!
//! Pure. An outcome is always the receiver's, the network's or the plugin's doing. Internal faults do not become outcomes:
//! they leave the delivery as it is, and its lease expires.

use hookmill_model::{Answer, DeliveryState, OnFailure, Outcome, Subscription};
use jiff::Timestamp;

use crate::stages::delay;

/// The transition of a delivery after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The delivery's next state.
    pub state: DeliveryState,
    /// When its next attempt is due, if it is pending.
    pub due_at: Option<Timestamp>,
    /// The reason; none for a success.
    pub reason: Option<String>,
}

/// Decides the transition after attempt `number`, which ended at `now`; `chance` (0 to 1) spreads retries.
pub fn decide(subscription: &Subscription, number: u32, outcome: &Outcome, now: Timestamp, chance: f64) -> Transition {
    let end = |state, reason| Transition { state, due_at: None, reason };
    let retry = |reason: String, retry_after| match delay::next(&subscription.retry, number, now, retry_after, chance) {
        Some(due_at) => Transition { state: DeliveryState::Pending, due_at: Some(due_at), reason: Some(reason) },
        None => end(DeliveryState::Failed, Some(reason)),
    };
    match outcome {
        Outcome::Succeeded(_) => end(DeliveryState::Delivered, None),
        Outcome::Skipped(reason) => end(DeliveryState::Skipped, Some(reason.clone())),
        // The subscription is paused too; see `PausePolicy`.
        gone if subscription.pause_policy().is_gone(gone) => {
            end(DeliveryState::Failed, Some("the receiver answered 410 Gone".to_owned()))
        }
        Outcome::Rejected(answer) => retry(rejection(subscription, answer), asked_to_wait(answer, now)),
        Outcome::Unreachable(fault) => retry(fault.message.clone(), None),
        Outcome::PluginFailed(fault) if fault.retry || retries_faults(subscription) => {
            retry(fault.message.clone(), None)
        }
        Outcome::PluginFailed(fault) => end(DeliveryState::Failed, Some(fault.message.clone())),
    }
}

/// Whether the owner wants every fault of the plugin retried.
fn retries_faults(subscription: &Subscription) -> bool {
    subscription.on_failure() == OnFailure::Retry
}

/// Whether a response is a success by the subscription's success codes and its rule for responses.
pub fn accepts(subscription: &Subscription, answer: &Answer) -> bool {
    subscription.success_codes.contains(answer.status) && reported_failure(subscription, answer).is_none()
}

/// Returns the failure that a response's body reports, by the subscription's rule. A truncated body cannot be read, so it
/// counts as a failure.
fn reported_failure(subscription: &Subscription, answer: &Answer) -> Option<String> {
    let rule = subscription.answer_rule.as_ref()?;
    if answer.truncated { Some("the response is too long to be read".to_owned()) } else { rule.failure(&answer.body) }
}

/// Returns the reason why a response is not a success.
fn rejection(subscription: &Subscription, answer: &Answer) -> String {
    let status = answer.status;
    match reported_failure(subscription, answer) {
        Some(reason) if reason.is_empty() => {
            format!("the receiver answered {status}, and its response reports a failure")
        }
        Some(reason) => format!("the receiver answered {status}, and its response reports a failure: {reason}"),
        None => format!("the receiver answered {status}"),
    }
}

/// Returns the wait of `Retry-After`, which is obeyed on the two statuses that mean "later".
fn asked_to_wait(answer: &Answer, now: Timestamp) -> Option<std::time::Duration> {
    if !matches!(answer.status, 429 | 503) {
        return None;
    }
    let (_, value) = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    delay::retry_after(value, now)
}
