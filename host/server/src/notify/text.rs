//! The texts of mails, written for people who do not know this host.

use std::fmt::Write as _;

use super::event::without_query;
use hookmill_model::{Failures, Notice, NoticeKind, Space, Subscription};

/// The length of a reason that is shown, which is a receiver's or a plugin's text.
const REASON_CHARS_MAX: usize = 500;

/// Returns the subject.
pub(super) fn subject(notice: &Notice, subscription: &Subscription) -> String {
    let name = &subscription.name;
    match notice.kind {
        NoticeKind::DeliveryFailed => format!("Webhook \u{201c}{name}\u{201d} is failing"),
        NoticeKind::SubscriptionPaused => format!("Webhook \u{201c}{name}\u{201d} was paused"),
        NoticeKind::SubscriptionActivated => format!("Webhook \u{201c}{name}\u{201d} is active again"),
    }
}

/// Returns the text.
pub(super) fn text(notice: &Notice, subscription: &Subscription, quiet_s: u32) -> String {
    let mut text = opening(notice);
    let mut line = |label: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{label:<15}{value}");
    };
    line("Subscription:", &format!("{} ({})", subscription.name, subscription.id));
    line("Space:", subscription.space.as_str());
    line("Sends to:", &without_query(subscription));
    if notice.kind == NoticeKind::SubscriptionPaused {
        line("Paused:", &notice.at.to_string());
        line("Reason:", &one_line(notice.detail.as_deref().or(notice.pause_reason.as_deref())));
    }
    if let Some(failures) = &notice.failures {
        line("Failed:", &failed(failures));
        line("Last reason:", &one_line(failures.last_reason.as_deref()));
    }
    text.push_str(&what_to_do(notice, subscription));
    text.push_str(&closing(notice, quiet_s));
    text
}

/// Returns the subject of a test.
pub(super) fn test_subject(space: &Space) -> String {
    format!("Test: mails about the webhooks of \u{201c}{}\u{201d}", one_line(Some(&space.name)))
}

/// Returns the text of a test.
pub(super) fn test_text(space: &Space) -> String {
    format!(
        "This mail is a test, requested through Hookmill's API. It shows that the administrators of a space receive mails\n\
         when the webhooks of a subscription with `notify_on_failure` cannot be delivered.\n\n\
         {:<15}{} ({})\n\nThere is nothing to do.\n",
        "Space:",
        one_line(Some(&space.name)),
        space.id,
    )
}

fn opening(notice: &Notice) -> String {
    let sentence = match notice.kind {
        NoticeKind::DeliveryFailed => {
            "A webhook subscription could not deliver events. Its failed deliveries will not be retried."
        }
        NoticeKind::SubscriptionPaused if is_for_plugin(notice) => {
            "A webhook subscription was paused because its plugin keeps failing."
        }
        NoticeKind::SubscriptionPaused => {
            "A webhook subscription was paused because its receiver does not accept events."
        }
        NoticeKind::SubscriptionActivated => "A webhook subscription is active again.",
    };
    format!("{sentence}\n\n")
}

/// Returns whether the plugin, not the receiver, caused a pause.
fn is_for_plugin(notice: &Notice) -> bool {
    notice.pause_reason.as_deref() == Some("plugin_failures")
}

fn failed(Failures { count, first_at, last_at, .. }: &Failures) -> String {
    match count {
        1 => format!("1 delivery, at {first_at}"),
        _ => format!("{count} deliveries since {first_at}, the last at {last_at}"),
    }
}

fn what_to_do(notice: &Notice, subscription: &Subscription) -> String {
    let space = format!("/v1/spaces/{}", subscription.space);
    let id = subscription.id;
    let mut text = "\nWhat you can do with Hookmill's API:\n".to_owned();
    let mut step = |what: &str, call: &str| {
        let _ = write!(text, "- {what}:\n  {call}\n");
    };
    step("See which deliveries failed, and why", &format!("GET {space}/deliveries?state=failed&subscription={id}"));
    if let Some(failures) = &notice.failures {
        step("Resend the last failed delivery", &format!("POST {space}/deliveries/{}/resend", failures.last_delivery));
    }
    if notice.kind == NoticeKind::SubscriptionPaused {
        let when_fixed = if is_for_plugin(notice) {
            step("Roll back the last change of the plugin", &format!("POST {space}/subscriptions/{id}/rollback"));
            "Activate the subscription once the plugin works"
        } else {
            "Activate the subscription once the receiver works"
        };
        step(when_fixed, &format!("POST {space}/subscriptions/{id}/activate"));
    }
    text
}

fn closing(notice: &Notice, quiet_s: u32) -> String {
    match notice.kind {
        NoticeKind::DeliveryFailed => format!(
            "\nFurther failures will be reported after {}, or after an hour if a delivery succeeds in between.\n",
            duration(quiet_s)
        ),
        NoticeKind::SubscriptionPaused => {
            "\nUntil it is activated, it receives no new events, and its pending deliveries are held.\n".to_owned()
        }
        NoticeKind::SubscriptionActivated => String::new(),
    }
}

fn duration(seconds: u32) -> String {
    match seconds {
        s if s >= 7_200 && s % 3_600 == 0 => format!("{} hours", s / 3_600),
        s if s >= 120 && s % 60 == 0 => format!("{} minutes", s / 60),
        s => format!("{s} seconds"),
    }
}

/// Returns an untrusted text, shortened, and without control characters that could fake further lines of the mail.
fn one_line(text: Option<&str>) -> String {
    let text = text.unwrap_or("unknown");
    let mut line: String = text.chars().take(REASON_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(REASON_CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}
