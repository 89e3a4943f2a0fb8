//! Which of the last events matched, and why the others did not.

use std::collections::BTreeSet;

use super::finding::{Check, Finding};
use super::path;
use crate::stages::matching::Verdict;
use hookmill_model::{Event, Subscription};

/// Events that did not match and are told of one by one.
const EXAMPLES: usize = 5;

/// Looks at the last events of the space, newest first, each with its verdict.
pub(super) fn events(subscription: &Subscription, judged: &[(&Event, Verdict)]) -> Finding {
    if subscription.event_types.is_empty() {
        let what_to_do = format!("choose some: `event_types`, by PATCH {}", path(subscription, ""));
        return Finding::problem(Check::Events, "the subscription chooses no events", what_to_do);
    }
    if judged.is_empty() {
        let what_to_do = format!("post one: POST /v1/spaces/{}/events", subscription.space);
        return Finding::warning(Check::Events, "there is no event in this space", what_to_do);
    }
    let count = |wanted: fn(&Verdict) -> bool| judged.iter().filter(|(_, verdict)| wanted(verdict)).count();
    let matched = count(|verdict| *verdict == Verdict::Wanted);
    let untold = count(|verdict| matches!(verdict, Verdict::ConditionFailed(_)));
    let mut told = vec![format!("of the last {} events of this space, {matched} match", judged.len())];
    let counts = [
        ("of another type", count(|verdict| *verdict == Verdict::OtherType)),
        ("without a change that triggers it", count(|verdict| *verdict == Verdict::NotTriggered)),
        ("condition is false", count(|verdict| *verdict == Verdict::ConditionFalse)),
        ("condition cannot be told", untold),
    ];
    told.extend(counts.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}")));
    let earlier = count_earlier(subscription, judged);
    if earlier > 0 {
        told.push(format!("before the subscription was made, and so not sent: {earlier} of those that match"));
    }
    let finding = format!("{}{}", told.join("; "), examples(subscription, judged));
    if matched > 0 && untold == 0 {
        return Finding::ok(Check::Events, finding);
    }
    Finding::warning(Check::Events, finding, advice(subscription, judged))
}

fn count_earlier(subscription: &Subscription, judged: &[(&Event, Verdict)]) -> usize {
    let matched = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Wanted);
    matched.filter(|(event, _)| event.accepted_at < subscription.created_at).count()
}

/// Later is closer to a match.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::OtherType => 0,
        Verdict::NotTriggered => 1,
        Verdict::ConditionFalse => 2,
        Verdict::ConditionFailed(_) => 3,
        Verdict::Wanted => 4,
    }
}

/// Events that did not match, those first that came closest.
fn missed<'a>(judged: &'a [(&'a Event, Verdict)]) -> Vec<&'a (&'a Event, Verdict)> {
    let mut missed: Vec<_> = judged.iter().filter(|(_, verdict)| *verdict != Verdict::Wanted).collect();
    missed.sort_by_key(|(_, verdict)| std::cmp::Reverse(rank(verdict)));
    missed
}

fn examples(subscription: &Subscription, judged: &[(&Event, Verdict)]) -> String {
    let why = |event: &Event, verdict: &Verdict| match verdict {
        Verdict::Wanted => "it matches".to_owned(),
        Verdict::OtherType if event.kind.is_operational() => {
            "it is the host's own, which goes to those that name its type".to_owned()
        }
        Verdict::OtherType => format!("the subscription wants {}", wanted(subscription)),
        Verdict::NotTriggered => "nothing changed that triggers the subscription".to_owned(),
        Verdict::ConditionFalse => "the condition is false".to_owned(),
        Verdict::ConditionFailed(reason) => format!("the condition cannot be told: {reason}"),
    };
    let shown = missed(judged).into_iter().take(EXAMPLES);
    let shown: Vec<_> =
        shown.map(|(event, verdict)| format!("{} ({}): {}", event.id, event.kind, why(event, verdict))).collect();
    if shown.is_empty() { String::new() } else { format!(". For example {}", shown.join("; ")) }
}

fn wanted(subscription: &Subscription) -> String {
    let types: Vec<_> = subscription.event_types.iter().map(|pattern| format!("`{pattern}`")).collect();
    types.join(", ")
}

/// What to do about the event that came closest.
fn advice(subscription: &Subscription, judged: &[(&Event, Verdict)]) -> String {
    let condition = subscription.condition.as_deref().unwrap_or_default();
    match missed(judged).first() {
        Some((_, Verdict::ConditionFailed(_))) => format!(
            "the condition `{condition}` asks for what not every event has: test for it first, with `has(event.data.…)`"
        ),
        Some((event, Verdict::ConditionFalse)) => format!(
            "hold the condition `{condition}` against the data of an event: GET /v1/spaces/{}/events/{}",
            subscription.space, event.id
        ),
        Some((_, Verdict::NotTriggered)) => {
            "let the producer post `changed_fields` or `previous` with its events, or change `trigger`".to_owned()
        }
        Some((_, Verdict::OtherType)) | Some((_, Verdict::Wanted)) | None => {
            let came: BTreeSet<_> = judged.iter().map(|(event, _)| event.kind.as_str()).collect();
            let came: Vec<_> = came.into_iter().collect();
            format!(
                "compare `event_types` with the types that came ({}), and change it by PATCH {}",
                came.join(", "),
                path(subscription, "")
            )
        }
    }
}
