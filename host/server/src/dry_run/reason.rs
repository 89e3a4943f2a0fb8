//! Why an event matches a subscription or does not, for people.

use crate::stages::matching::Verdict;
use hookmill_model::{EventType, Subscription};

/// Returns why an event of this type got this verdict.
pub(super) fn why(subscription: &Subscription, kind: &EventType, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Wanted => "it matches".to_owned(),
        Verdict::OtherType if kind.is_operational() => {
            "operational events are sent only to subscriptions that name their type".to_owned()
        }
        Verdict::OtherType => format!("the subscription selects {}", wanted(subscription)),
        Verdict::NotTriggered => "no change fires the trigger".to_owned(),
        Verdict::ConditionFalse => "the condition is false".to_owned(),
        Verdict::ConditionFailed(reason) => format!("the condition cannot be evaluated: {reason}"),
    }
}

fn wanted(subscription: &Subscription) -> String {
    let types: Vec<_> = subscription.event_types.iter().map(|pattern| format!("`{pattern}`")).collect();
    if types.is_empty() { "no event types".to_owned() } else { types.join(", ") }
}
