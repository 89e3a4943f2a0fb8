//! Whether the subscription wants events at all.

use super::finding::{Check, Finding};
use super::path;
use hookmill_model::{Activity, PauseReason, Subscription, SubscriptionState};

/// Looks at the state.
pub(super) fn state(subscription: &Subscription, activity: Activity) -> Finding {
    let problem = |finding: String, what_to_do: String| Finding::problem(Check::State, finding, what_to_do);
    let activate = format!("POST {}", path(subscription, "/activate"));
    match subscription.state {
        SubscriptionState::Active => Finding::ok(Check::State, "the subscription is active: events match it"),
        SubscriptionState::Draft => {
            let finding = "the subscription is a draft that was never activated: events pass it by";
            problem(finding.to_owned(), format!("activate it: {activate}"))
        }
        SubscriptionState::Verifying => {
            let report = subscription.handshake_report.as_ref();
            let said = report.map_or("it was not asked yet", |report| report.reason.as_str());
            let finding = format!(
                "the subscription waits for its endpoint to pass the handshake, and events pass it by; the last time: \
                 {said}"
            );
            problem(finding, format!("let the endpoint answer as the handshake wants, then: {activate}"))
        }
        SubscriptionState::Paused => {
            let again = if subscription.handshake.is_some() { " (its endpoint is asked again then)" } else { "" };
            let what_to_do = format!("mend what led to the pause, then: {activate}{again}");
            problem(paused(subscription, activity), what_to_do)
        }
        SubscriptionState::Deleted => {
            problem("the subscription is deleted".to_owned(), "create another one".to_owned())
        }
    }
}

fn paused(subscription: &Subscription, activity: Activity) -> String {
    // Nothing but an attempt pauses for the receiver's sake, and no attempt comes after a pause.
    let (why, since) = match subscription.pause_reason {
        // When that was, nobody kept: a change since then has moved `updated_at`.
        Some(PauseReason::Requested) | None => ("a caller asked for it", None),
        Some(PauseReason::Gone) => ("its receiver answered 410 Gone", activity.last_triggered_at),
        Some(PauseReason::PluginFailures) => ("its plugin failed too often in a row", activity.last_triggered_at),
        Some(PauseReason::Failures) => ("too many deliveries in a row failed", activity.last_triggered_at),
    };
    let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
    let detail = subscription.pause_detail.as_ref().filter(|detail| !detail.is_empty());
    let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("the subscription is paused{since}, because {why}{detail}: events pass it by, and its deliveries wait")
}
