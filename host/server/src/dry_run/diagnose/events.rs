//! Check: which of the last events matched, and why the others did not.

use std::collections::BTreeSet;

use super::super::reason::why;
use super::finding::{Check, Finding};
use super::path;
use crate::stages::matching::{ConditionError, Verdict};
use hookmill_model::{Event, Subscription};

/// The number of events without a match that are shown individually.
const EXAMPLES: usize = 5;

/// Judges the last events of the space, newest first, each with its verdict.
pub(super) fn events(subscription: &Subscription, judged: &[(&Event, Verdict)]) -> Finding {
    if subscription.event_types.is_empty() {
        let what_to_do = format!("set `event_types`: PATCH {}", path(subscription, ""));
        return Finding::problem(Check::Events, "the subscription selects no event types", what_to_do);
    }
    if judged.is_empty() {
        let what_to_do = format!("post an event: POST /v1/spaces/{}/events", subscription.space);
        return Finding::warning(Check::Events, "there are no events in this space", what_to_do);
    }
    let count = |wanted: fn(&Verdict) -> bool| judged.iter().filter(|(_, verdict)| wanted(verdict)).count();
    let matched = count(|verdict| *verdict == Verdict::Wanted);
    let undecided = count(|verdict| matches!(verdict, Verdict::ConditionFailed(_)));
    let mut parts = vec![format!("of the last {} events in this space, {matched} match", judged.len())];
    let counts = [
        ("of another type", count(|verdict| *verdict == Verdict::OtherType)),
        ("without a change that fires the trigger", count(|verdict| *verdict == Verdict::NotTriggered)),
        ("condition is false", count(|verdict| *verdict == Verdict::ConditionFalse)),
        ("condition cannot be evaluated", undecided),
    ];
    parts.extend(counts.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}")));
    let earlier = count_earlier(subscription, judged);
    if earlier > 0 {
        parts.push(format!("accepted before the subscription was created, and so not sent: {earlier} of the matches"));
    }
    let finding = format!("{}{}", parts.join("; "), examples(subscription, judged));
    if matched > 0 && undecided == 0 {
        return Finding::ok(Check::Events, finding);
    }
    Finding::warning(Check::Events, finding, advice(subscription, judged))
}

fn count_earlier(subscription: &Subscription, judged: &[(&Event, Verdict)]) -> usize {
    let matched = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Wanted);
    matched.filter(|(event, _)| event.accepted_at < subscription.created_at).count()
}

/// Ranks a verdict; a higher rank is closer to a match.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::OtherType => 0,
        Verdict::NotTriggered => 1,
        Verdict::ConditionFalse => 2,
        Verdict::ConditionFailed(_) => 3,
        Verdict::Wanted => 4,
    }
}

/// The events that did not match, closest to a match first.
fn missed<'a>(judged: &'a [(&'a Event, Verdict)]) -> Vec<&'a (&'a Event, Verdict)> {
    let mut missed: Vec<_> = judged.iter().filter(|(_, verdict)| *verdict != Verdict::Wanted).collect();
    missed.sort_by_key(|(_, verdict)| std::cmp::Reverse(rank(verdict)));
    missed
}

fn examples(subscription: &Subscription, judged: &[(&Event, Verdict)]) -> String {
    let shown = missed(judged).into_iter().take(EXAMPLES);
    let shown: Vec<_> = shown
        .map(|(event, verdict)| format!("{} ({}): {}", event.id, event.kind, why(subscription, &event.kind, verdict)))
        .collect();
    if shown.is_empty() { String::new() } else { format!(". For example {}", shown.join("; ")) }
}

/// Advice on the event that came closest.
fn advice(subscription: &Subscription, judged: &[(&Event, Verdict)]) -> String {
    let condition = subscription.condition.as_deref().unwrap_or_default();
    match missed(judged).first() {
        Some((_, Verdict::ConditionFailed(ConditionError::Invalid(_) | ConditionError::OverBudget))) => format!(
            "write the condition `{condition}` shorter, without loops over large lists: PATCH {}",
            path(subscription, "")
        ),
        Some((_, Verdict::ConditionFailed(ConditionError::Failed(_)))) => format!(
            "the condition `{condition}` reads a field that not every event has: test for it first with `has(event.data.…)`"
        ),
        Some((event, Verdict::ConditionFalse)) => format!(
            "compare the condition `{condition}` with the data of an event: GET /v1/spaces/{}/events/{}",
            subscription.space, event.id
        ),
        Some((_, Verdict::NotTriggered)) => {
            "have the producer post `changed_fields` or `previous` with its events, or change `trigger`".to_owned()
        }
        Some((_, Verdict::OtherType)) | Some((_, Verdict::Wanted)) | None => {
            let types: BTreeSet<_> = judged.iter().map(|(event, _)| event.kind.as_str()).collect();
            let types: Vec<_> = types.into_iter().collect();
            format!(
                "compare `event_types` with the types of these events ({}), and change it: PATCH {}",
                types.join(", "),
                path(subscription, "")
            )
        }
    }
}
