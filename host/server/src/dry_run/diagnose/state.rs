//! Check: the subscription's state.

use super::finding::{Check, Finding};
use super::path;
use hookmill_model::{Activity, PauseReason, Subscription, SubscriptionState};

/// Judges the state.
pub(super) fn state(subscription: &Subscription, activity: Activity) -> Finding {
    let problem = |finding: String, what_to_do: String| Finding::problem(Check::State, finding, what_to_do);
    let activate = format!("POST {}", path(subscription, "/activate"));
    match subscription.state {
        SubscriptionState::Active => Finding::ok(Check::State, "the subscription is active"),
        SubscriptionState::Draft => {
            let finding = "the subscription is a draft that was never activated, so it receives no events";
            problem(finding.to_owned(), format!("activate it: {activate}"))
        }
        SubscriptionState::Verifying => {
            let report = subscription.handshake_report.as_ref();
            let said = report.map_or("not attempted yet", |report| report.reason.as_str());
            let finding = format!(
                "the subscription is waiting for its endpoint to pass the handshake, and receives no events until then; \
                 last result: {said}"
            );
            problem(finding, format!("make the endpoint respond as the handshake requires, then activate: {activate}"))
        }
        SubscriptionState::Paused => {
            let again = if subscription.handshake.is_some() { " (this repeats the handshake)" } else { "" };
            let what_to_do = format!("fix the cause of the pause, then activate: {activate}{again}");
            problem(paused(subscription, activity), what_to_do)
        }
        SubscriptionState::Deleted => problem("the subscription is deleted".to_owned(), "create a new one".to_owned()),
    }
}

fn paused(subscription: &Subscription, activity: Activity) -> String {
    // Only an attempt pauses a subscription because of its receiver, and no attempt follows a pause.
    let (why, since) = match subscription.pause_reason {
        // The time is not stored: a later change has moved `updated_at`.
        Some(PauseReason::Requested) | None => ("a user paused it", None),
        Some(PauseReason::Gone) => ("its receiver responded 410 Gone", activity.last_triggered_at),
        Some(PauseReason::PluginFailures) => ("its plugin failed too many times in a row", activity.last_triggered_at),
        Some(PauseReason::Condition) => ("its condition could not be evaluated too many times in a row", None),
        Some(PauseReason::Failures) => ("too many deliveries in a row failed", activity.last_triggered_at),
    };
    let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
    let detail = subscription.pause_detail.as_ref().filter(|detail| !detail.is_empty());
    let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!(
        "the subscription is paused{since} because {why}{detail}; it receives no events, and its deliveries are held"
    )
}
