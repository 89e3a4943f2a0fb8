//! What the plugin makes of an event.

use super::finding::{Check, Finding};
use super::path;
use crate::dispatch::transform::{TransformDecision, TransformReport};
use hookmill_model::{Event, LogLine, Subscription};

/// The last lines of a plugin's log that are told, and how much of each.
const LOG_LINES: usize = 5;
const LOG_CHARS_MAX: usize = 200;

/// What to do about a plugin that fails.
const MEND: &str =
    "hold the plugin's configuration against what the event has; if both are right, tell the plugin's author";

/// Why there is nothing to say.
pub(super) fn without_event(subscription: &Subscription) -> Finding {
    let mut finding = Finding::skipped(Check::Plugin, "no event matches, and no event type has an example to try");
    let what_to_do = format!("send a test with data of your own: POST {}", path(subscription, "/test"));
    finding.what_to_do = Some(what_to_do);
    finding
}

/// Judges what the plugin made of `event`, or of the catalog's example.
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
        let finding = format!("{who} fails on {of}, and the default shape goes out instead: {}", fault.message);
        return Finding::problem(Check::Plugin, finding + &logged(&tried.logs), MEND);
    }
    match &tried.result {
        Ok(TransformDecision::Deliver(request)) => {
            let (method, bytes) = (&request.method, request.body.len());
            let makes = format!("{who} makes a {method} with a body of {bytes} bytes of {of}");
            match subscription.plugin.as_ref().and_then(|plugin| plugin.held_back.as_ref()) {
                None => Finding::ok(Check::Plugin, makes),
                Some(why) => Finding::warning(
                    Check::Plugin,
                    format!("{makes}, but is not the newest that the subscription follows: {why}"),
                    "change the plugin's configuration so that it fits the newer version, or pin this one",
                ),
            }
        }
        Ok(TransformDecision::Skip(reason)) => Finding::warning(
            Check::Plugin,
            format!("{who} sends nothing of {of}: {reason}{}", logged(&tried.logs)),
            "that is right if such events shall not be sent; else change the plugin's configuration",
        ),
        Err(fault) => Finding::problem(
            Check::Plugin,
            format!("{who} fails on {of}: {}{}", fault.message, logged(&tried.logs)),
            MEND,
        ),
    }
}

fn logged(lines: &[LogLine]) -> String {
    let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
    let last: Vec<String> = last.iter().map(|line| line.message.chars().take(LOG_CHARS_MAX).collect()).collect();
    if last.is_empty() { String::new() } else { format!("; it logged: {}", last.join(" / ")) }
}
