//! Check: how the last deliveries ended.

use super::finding::{Check, Finding};
use super::path;
use hookmill_model::{Activity, DeliveryState, Subscription};
use hookmill_store::DeliveryHead;

/// Judges the last deliveries, newest first.
pub(super) fn deliveries(subscription: &Subscription, activity: Activity, last: &[DeliveryHead]) -> Finding {
    if last.is_empty() {
        let mut finding = Finding::skipped(Check::Deliveries, "there are no deliveries yet");
        finding.what_to_do = Some(format!("send a test event: POST {}", path(subscription, "/test")));
        return finding;
    }
    let failed = last.iter().find(|delivery| delivery.state == DeliveryState::Failed);
    let retried = last.iter().find(|delivery| !delivery.state.is_final() && delivery.attempts > 0);
    let finding = [
        Some(format!("of the last {}: {}", last.len(), counts(last))),
        failed.map(|delivery| format!("the last failed delivery is {}: {}", delivery.id, reason(delivery))),
        retried.map(|delivery| format!("{} will be retried at {}: {}", delivery.id, delivery.due_at, reason(delivery))),
        oldest_waiting(last),
        in_a_row(subscription, activity),
    ];
    let finding = finding.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let what_to_do = "look at the request and the response (GET …/deliveries/{delivery}), fix the cause, and resend the \
        delivery (POST …/deliveries/{delivery}/resend)";
    let newest_tried = last.iter().find(|delivery| {
        matches!(delivery.state, DeliveryState::Delivered | DeliveryState::Failed)
            || (!delivery.state.is_final() && delivery.attempts > 0)
    });
    match newest_tried.map(|delivery| delivery.state) {
        Some(DeliveryState::Failed) => Finding::problem(Check::Deliveries, finding, what_to_do),
        Some(DeliveryState::Pending | DeliveryState::Held) => Finding::warning(Check::Deliveries, finding, what_to_do),
        _ if failed.or(retried).is_some() => Finding::warning(Check::Deliveries, finding, what_to_do),
        _ => Finding::ok(Check::Deliveries, finding),
    }
}

fn reason(delivery: &DeliveryHead) -> &str {
    delivery.reason.as_deref().unwrap_or("unknown reason")
}

fn counts(last: &[DeliveryHead]) -> String {
    let count = |state| last.iter().filter(|delivery| delivery.state == state).count();
    let counts = DeliveryState::ALL.into_iter().map(|state| (count(state), state.as_str()));
    let counts: Vec<_> =
        counts.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    counts.join(", ")
}

fn oldest_waiting(last: &[DeliveryHead]) -> Option<String> {
    let oldest = last.iter().rev().find(|delivery| !delivery.state.is_final())?;
    let until = match oldest.state {
        DeliveryState::Held => "until the subscription is activated".to_owned(),
        _ => format!("until {}", oldest.due_at),
    };
    Some(format!("the oldest waiting delivery is {}, accepted at {}, waiting {until}", oldest.id, oldest.accepted_at))
}

fn in_a_row(subscription: &Subscription, activity: Activity) -> Option<String> {
    match (activity.failed_deliveries, subscription.pause_after_failures) {
        (0, _) => None,
        (failed, None) => Some(format!("consecutive failed deliveries: {failed}")),
        (failed, Some(after)) => {
            Some(format!("consecutive failed deliveries: {failed}; the subscription is paused at {after}"))
        }
    }
}
