//! Record: what an attempt's outcome means for its delivery and its subscription.
//!
//! Pure. An outcome is somebody else's doing, success or fault, and becomes a transition here; our own faults never
//! come this far, they leave the delivery as it is and its claim lapses.

use jiff::Timestamp;

use crate::stages::delay;
use hookmill_model::{Answer, DeliveryState, OnFailure, Outcome, Subscription};

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The delivery's next state.
    pub state: DeliveryState,
    /// When its next attempt is due, if it is pending.
    pub due_at: Option<Timestamp>,
    /// Why, in words; none for a success.
    pub reason: Option<String>,
}

/// Decides what follows from the outcome of attempt `number`, which ended at `now`; `chance` (0 to 1) spreads retries.
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
        Outcome::Rejected(answer) => retry(refusal(subscription, answer), asked_to_wait(answer, now)),
        Outcome::Unreachable(fault) => retry(fault.message.clone(), None),
        Outcome::PluginFailed(fault) if fault.retry || tries_again(subscription) => retry(fault.message.clone(), None),
        Outcome::PluginFailed(fault) => end(DeliveryState::Failed, Some(fault.message.clone())),
    }
}

/// Whether its owner wants another try whatever the plugin did wrong.
fn tries_again(subscription: &Subscription) -> bool {
    subscription.on_failure() == OnFailure::Retry
}

/// Whether an answer is a success by the subscription's codes and its rule for reading answers.
pub fn accepts(subscription: &Subscription, answer: &Answer) -> bool {
    subscription.success_codes.contains(answer.status) && told_failure(subscription, answer).is_none()
}

/// What an answer's body tells of a failure, by the subscription's rule. One that is too long to be read whole tells of
/// nothing that could be called success.
fn told_failure(subscription: &Subscription, answer: &Answer) -> Option<String> {
    let rule = subscription.answer_rule.as_ref()?;
    if answer.truncated { Some("its answer is too long to be read".to_owned()) } else { rule.failure(&answer.body) }
}

/// Why an answer is none, in words.
fn refusal(subscription: &Subscription, answer: &Answer) -> String {
    let status = answer.status;
    match told_failure(subscription, answer) {
        Some(reason) if reason.is_empty() => format!("the receiver answered {status} and tells of a failure"),
        Some(reason) => format!("the receiver answered {status} and tells of a failure: {reason}"),
        None => format!("the receiver answered {status}"),
    }
}

/// `Retry-After`, which is obeyed on the two statuses that say "later".
fn asked_to_wait(answer: &Answer, now: Timestamp) -> Option<std::time::Duration> {
    if !matches!(answer.status, 429 | 503) {
        return None;
    }
    let (_, value) = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    delay::retry_after(value, now)
}
