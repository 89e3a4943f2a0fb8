//! Check: the plugin's output for an event.

use super::finding::{Check, Finding};
use super::path;
use crate::dispatch::transform::{TransformDecision, TransformReport};
use hookmill_model::{Event, LogLine, Subscription};

/// The number of log lines that are shown, and the length of each.
const LOG_LINES: usize = 5;
const LOG_CHARS_MAX: usize = 200;

/// Advice on a plugin that fails.
const ADVICE: &str = "compare the plugin's configuration with the event's data; if both are right, report the failure to the plugin's author";

/// The finding if there is no event to try.
pub(super) fn without_event(subscription: &Subscription) -> Finding {
    let mut finding =
        Finding::skipped(Check::Plugin, "no event matches, and no selected event type has an example to try");
    let what_to_do = format!("send a test event with your own data: POST {}", path(subscription, "/test"));
    finding.what_to_do = Some(what_to_do);
    finding
}

/// Judges the plugin's output for `event`, which may be the catalog's example.
pub(super) fn plugin(subscription: &Subscription, event: &Event, is_example: bool, tried: &TransformReport) -> Finding {
    let who = match &subscription.plugin {
        Some(plugin) => format!("the plugin {} {}", plugin.name, plugin.version),
        None => "the default shape".to_owned(),
    };
    let of = if is_example {
        format!("the example of `{}`", event.kind)
    } else {
        format!("the event {} ({})", event.id, event.kind)
    };
    if let Some(fault) = &tried.plugin_fault {
        let finding = format!("{who} fails on {of}, so the default shape is sent instead: {}", fault.message);
        return Finding::problem(Check::Plugin, finding + &logged(&tried.logs), ADVICE);
    }
    match &tried.result {
        Ok(TransformDecision::Deliver(request)) => {
            let (method, bytes) = (&request.method, request.body.len());
            let makes = format!("{who} turns {of} into a {method} request with a body of {bytes} bytes");
            match subscription.plugin.as_ref().and_then(|plugin| plugin.held_back.as_ref()) {
                None => Finding::ok(Check::Plugin, makes),
                Some(why) => Finding::warning(
                    Check::Plugin,
                    format!("{makes}, but is older than the version that the subscription follows: {why}"),
                    "change the plugin's configuration to suit the newer version, or pin this one",
                ),
            }
        }
        Ok(TransformDecision::Skip(reason)) => Finding::warning(
            Check::Plugin,
            format!("{who} skips {of}: {reason}{}", logged(&tried.logs)),
            "if such events should be sent, change the plugin's configuration",
        ),
        Err(fault) => Finding::problem(
            Check::Plugin,
            format!("{who} fails on {of}: {}{}", fault.message, logged(&tried.logs)),
            ADVICE,
        ),
    }
}

fn logged(lines: &[LogLine]) -> String {
    let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
    let last: Vec<String> = last.iter().map(|line| line.message.chars().take(LOG_CHARS_MAX).collect()).collect();
    if last.is_empty() { String::new() } else { format!("; it logged: {}", last.join(" / ")) }
}
