//! Match: which subscriptions want an event.
//!
//! Three tests, cheapest first. The [`Index`] finds candidates by the event's type: the work grows with the words of the
//! type and with the matches, not with the number of subscriptions. A subscription's trigger, if any, is compared with
//! the [changes](EventChanges). The [`Condition`], a CEL expression, decides last.
//!
//! Nothing here relies on being called once per event, or on the subscriptions' state: the index contains those that the
//! registry inserted.

mod check;
mod condition;
mod facts;
mod members;
mod meter;
mod metered;
mod pattern;
mod trigger;

use std::collections::{BTreeSet, HashMap};

use hookmill_model::{EventType, Pattern, SubscriptionId};

pub use condition::{Condition, ConditionError};
pub use facts::EventFacts;
pub use members::SeenMember;
pub use meter::{Budget, environment};
pub use trigger::{EventChanges, check_trigger};

/// Whether a subscription wants an event, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The subscription wants the event.
    Wanted,
    /// The subscription selects other types.
    OtherType,
    /// No change fires its trigger.
    NotTriggered,
    /// Its condition is false.
    ConditionFalse,
    /// Its condition cannot be evaluated, for this reason; the event does not match.
    ConditionFailed(ConditionError),
}

/// Returns whether one of the patterns selects this type. `*` selects all events of producers, but not operational events.
pub fn selects(patterns: &[Pattern], kind: &EventType) -> bool {
    let asked = |pattern: &&Pattern| **pattern != Pattern::All || !kind.is_operational();
    patterns.iter().filter(asked).any(|pattern| pattern.matches(kind))
}

/// Subscriptions by the event types that they select.
#[derive(Debug, Default)]
pub struct Index {
    exactly: HashMap<EventType, BTreeSet<SubscriptionId>>,
    below: HashMap<EventType, BTreeSet<SubscriptionId>>,
    all: BTreeSet<SubscriptionId>,
}

impl Index {
    /// Inserts a subscription under each of its patterns.
    pub fn insert(&mut self, id: SubscriptionId, patterns: &[Pattern]) {
        for pattern in patterns {
            match pattern {
                Pattern::All => self.all.insert(id),
                Pattern::Below(words) => self.below.entry(words.clone()).or_default().insert(id),
                Pattern::Exactly(kind) => self.exactly.entry(kind.clone()).or_default().insert(id),
            };
        }
    }

    /// Removes a subscription; `patterns` are those that it was inserted with.
    pub fn remove(&mut self, id: SubscriptionId, patterns: &[Pattern]) {
        for pattern in patterns {
            match pattern {
                Pattern::All => _ = self.all.remove(&id),
                Pattern::Below(words) => remove_from(&mut self.below, words, id),
                Pattern::Exactly(kind) => remove_from(&mut self.exactly, kind, id),
            }
        }
    }

    /// Returns the subscriptions that select this type, each once, oldest first.
    pub fn candidates(&self, kind: &EventType) -> Vec<SubscriptionId> {
        // `*` selects all events of producers, but not operational events.
        let all = Some(&self.all).filter(|_| !kind.is_operational());
        let mut found: Vec<_> = all.into_iter().flatten().copied().collect();
        found.extend(self.exactly.get(kind).into_iter().flatten());
        for (dot, _) in kind.as_str().match_indices('.') {
            let words = EventType::parse(&kind.as_str()[..dot]).expect("whole words of a type are a type");
            found.extend(self.below.get(&words).into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn remove_from(map: &mut HashMap<EventType, BTreeSet<SubscriptionId>>, key: &EventType, id: SubscriptionId) {
    if let Some(ids) = map.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}
