//! Check: other subscriptions that send the same events to the same URL.

use super::finding::{Check, Finding};
use crate::registry::{Registry, identical as does_the_same};
use hookmill_model::Subscription;

/// The number of subscriptions that are named; a shared URL may have many.
const NAMED: usize = 10;

/// Judges the other subscriptions of the space that send to this URL.
pub(super) fn identical(registry: &Registry, subscription: &Subscription) -> Vec<Finding> {
    let others = registry.sending_to(&subscription.space, &subscription.url);
    let others = others.iter().map(|compiled| &compiled.subscription).filter(|other| other.id != subscription.id);
    let (same, different): (Vec<_>, Vec<_>) = others.partition(|other| does_the_same(subscription, other));
    let mut found = Vec::new();
    if !same.is_empty() {
        found.push(Finding::warning(
            Check::Identical,
            format!(
                "the same events are also sent to this URL by {}, so the receiver gets them more than once",
                named(&same)
            ),
            "keep one of these subscriptions and delete the others",
        ));
    }
    if !different.is_empty() {
        let finding = format!(
            "other events, or the same events with another trigger or condition, are sent to this URL by {}",
            named(&different)
        );
        found.push(Finding::ok(Check::Identical, finding));
    }
    if found.is_empty() {
        found.push(Finding::ok(Check::Identical, "no other subscription in this space sends to this URL"));
    }
    found
}

fn named(subscriptions: &[&Subscription]) -> String {
    let shown = subscriptions.iter().take(NAMED);
    let mut names: Vec<_> =
        shown.map(|other| format!("`{}` ({}, {})", other.name, other.id, other.state.as_str())).collect();
    if subscriptions.len() > NAMED {
        names.push(format!("{} more", subscriptions.len() - NAMED));
    }
    names.join(", ")
}
