//! What became of the last deliveries.

use super::finding::{Check, Finding};
use super::path;
use hookmill_model::{Activity, Delivery, DeliveryState, Subscription};

/// Looks at the last deliveries, newest first.
pub(super) fn deliveries(subscription: &Subscription, activity: Activity, last: &[Delivery]) -> Finding {
    if last.is_empty() {
        let mut finding = Finding::skipped(Check::Deliveries, "nothing was delivered yet");
        finding.what_to_do = Some(format!("send a test: POST {}", path(subscription, "/test")));
        return finding;
    }
    let failed = last.iter().find(|delivery| delivery.state == DeliveryState::Failed);
    let retried = last.iter().find(|delivery| !delivery.state.is_final() && delivery.attempts > 0);
    let finding = [
        Some(format!("of the last {}: {}", last.len(), counts(last))),
        failed.map(|delivery| format!("{} failed last: {}", delivery.id, reason(delivery))),
        retried.map(|delivery| format!("{} is tried again at {}: {}", delivery.id, delivery.due_at, reason(delivery))),
        oldest_waiting(last),
        in_a_row(subscription, activity),
    ];
    let finding = finding.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let what_to_do = "read what was sent and answered (GET …/deliveries/{delivery}), mend it, and send it again by POST \
        …/deliveries/{delivery}/resend";
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

fn reason(delivery: &Delivery) -> &str {
    delivery.reason.as_deref().unwrap_or("no reason is known")
}

fn counts(last: &[Delivery]) -> String {
    let count = |state| last.iter().filter(|delivery| delivery.state == state).count();
    let counts = DeliveryState::ALL.into_iter().map(|state| (count(state), state.as_str()));
    let counts: Vec<_> =
        counts.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    counts.join(", ")
}

fn oldest_waiting(last: &[Delivery]) -> Option<String> {
    let oldest = last.iter().rev().find(|delivery| !delivery.state.is_final())?;
    let until = match oldest.state {
        DeliveryState::Held => "until the subscription is activated".to_owned(),
        _ => format!("until {}", oldest.due_at),
    };
    Some(format!("the oldest that waits is {}, of {}, {until}", oldest.id, oldest.event.accepted_at))
}

fn in_a_row(subscription: &Subscription, activity: Activity) -> Option<String> {
    match (activity.failed_deliveries, subscription.pause_after_failures) {
        (0, _) => None,
        (failed, None) => Some(format!("failed deliveries in a row: {failed}")),
        (failed, Some(after)) => Some(format!("failed deliveries in a row: {failed}, of {after} that pause it")),
    }
}
