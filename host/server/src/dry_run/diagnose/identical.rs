//! Whether another subscription does the same.

use super::finding::{Check, Finding};
use crate::registry::{Registry, identical as does_the_same};
use hookmill_model::Subscription;

/// Subscriptions that are named; a hub's URL may have many.
const NAMED: usize = 10;

/// Looks at what else of the space is sent to this URL.
pub(super) fn identical(registry: &Registry, subscription: &Subscription) -> Vec<Finding> {
    let others = registry.sending_to(&subscription.space, &subscription.url);
    let others = others.iter().map(|compiled| &compiled.subscription).filter(|other| other.id != subscription.id);
    let (same, different): (Vec<_>, Vec<_>) = others.partition(|other| does_the_same(subscription, other));
    let mut found = Vec::new();
    if !same.is_empty() {
        found.push(Finding::warning(
            Check::Identical,
            format!("the same events go to the same URL by {}: the receiver gets them more than once", named(&same)),
            "keep one of them and delete the others",
        ));
    }
    if !different.is_empty() {
        let finding = format!(
            "other events, or the same on another trigger or condition, go to this URL by {}",
            named(&different)
        );
        found.push(Finding::ok(Check::Identical, finding));
    }
    if found.is_empty() {
        found.push(Finding::ok(Check::Identical, "no other subscription of this space sends to this URL"));
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
