//! Searching a space's subscriptions in memory, for lists.
//!
//! A list in order of creation without a filter reads as many entries as it shows. Any other looks at all of the space's: some
//! 30 ms for 100,000, on a thread of its own.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use hookmill_model::{EventType, PluginName, SpaceId, SubscriptionId, SubscriptionState};

use super::{CompiledSubscription, Registry};
use crate::stages::matching;
use crate::task::long_in_turn;

/// Entries that are copied under one lock, which takes some 0.1 ms.
const STEP: usize = 1_000;

/// What is searched for; by default everything, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Part of the name or of the URL, in upper or lower case, or the id.
    pub text: Option<String>,
    /// The state.
    pub state: Option<SubscriptionState>,
    /// A type that the subscription selects.
    pub event_type: Option<EventType>,
    /// The name of the plugin.
    pub plugin: Option<PluginName>,
    /// Only those with a trigger.
    pub triggered: bool,
    /// The order of what is found.
    pub order: Order,
}

/// A text to search for, and the id that it is, if it is one.
struct Text {
    lowercase: String,
    id: Option<SubscriptionId>,
}

/// What a list is sorted by. Entries that are equal are sorted by creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// When it was created.
    #[default]
    Created,
    /// The name, in lower case.
    Name,
    /// When its last attempt began; those without one come first.
    LastTriggered,
    /// Failed attempts in a row.
    Failures,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// What it is sorted by.
    pub by: SortBy,
    /// Whether it is reversed.
    pub descending: bool,
}

/// A value that a list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// The order of creation, which the id has.
    Id,
    /// A number: microseconds, or a count.
    Number(i64),
    /// Text.
    Text(String),
}

/// A place in a list: that of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundSubscription {
    /// The value that the list is sorted by.
    pub key: SortKey,
    /// The subscription's id.
    pub id: SubscriptionId,
}

impl Order {
    fn compare(self, one: &FoundSubscription, other: &FoundSubscription) -> Ordering {
        let order = one.cmp(other);
        if self.descending { order.reverse() } else { order }
    }

    fn place(self, compiled: &CompiledSubscription) -> FoundSubscription {
        let key = match self.by {
            SortBy::Created => SortKey::Id,
            SortBy::Name => SortKey::Text(compiled.subscription.name.to_lowercase()),
            SortBy::LastTriggered => SortKey::Number(compiled.standing.last_triggered()),
            SortBy::Failures => SortKey::Number(compiled.standing.failures()),
        };
        FoundSubscription { key, id: compiled.subscription.id }
    }
}

impl Search {
    fn takes_all(&self) -> bool {
        let Self { text, state, event_type, plugin, triggered, order: _ } = self;
        !triggered && text.is_none() && state.is_none() && event_type.is_none() && plugin.is_none()
    }

    fn takes(&self, compiled: &CompiledSubscription, text: Option<&Text>) -> bool {
        let subscription = &compiled.subscription;
        self.state.is_none_or(|state| subscription.state == state)
            && (!self.triggered || subscription.trigger.is_some())
            && self.plugin.as_ref().is_none_or(|name| subscription.plugin.as_ref().is_some_and(|it| it.name == *name))
            && self.event_type.as_ref().is_none_or(|kind| matching::selects(&subscription.event_types, kind))
            && text.is_none_or(|Text { lowercase, id }| {
                subscription.name.to_lowercase().contains(lowercase.as_str())
                    || subscription.url.as_str().to_lowercase().contains(lowercase.as_str())
                    || *id == Some(subscription.id)
            })
    }

    fn run(
        &self,
        all: &[Arc<CompiledSubscription>],
        after: Option<&FoundSubscription>,
        limit: usize,
    ) -> Vec<FoundSubscription> {
        let order = self.order;
        let text = self.text.as_ref().map(|text| Text { lowercase: text.to_lowercase(), id: text.parse().ok() });
        let found =
            all.iter().filter(|compiled| self.takes(compiled, text.as_ref())).map(|compiled| order.place(compiled));
        let mut found: Vec<_> =
            found.filter(|it| after.is_none_or(|after| order.compare(it, after) == Ordering::Greater)).collect();
        if found.len() > limit {
            found.select_nth_unstable_by(limit, |one, other| order.compare(one, other));
            found.truncate(limit);
        }
        found.sort_unstable_by(|one, other| order.compare(one, other));
        found
    }
}

impl Registry {
    /// Returns up to `limit` subscriptions of a space that are searched for, in order, from the one behind `after` on.
    pub async fn search(
        &self,
        space: &SpaceId,
        search: Search,
        after: Option<FoundSubscription>,
        limit: usize,
    ) -> Vec<FoundSubscription> {
        if search.takes_all() && search.order == Order::default() {
            let ids = self.of_space(space, after.map(|after| after.id), limit);
            return ids.iter().map(|compiled| search.order.place(compiled)).collect();
        }
        let all = self.all_of_space(space).await;
        long_in_turn(space, move || search.run(&all, after.as_ref(), limit)).await
    }

    async fn all_of_space(&self, space: &SpaceId) -> Vec<Arc<CompiledSubscription>> {
        let mut all: Vec<Arc<CompiledSubscription>> = Vec::with_capacity(self.count(space));
        loop {
            let step = self.of_space(space, all.last().map(|last| last.subscription.id), STEP);
            let last = step.len() < STEP;
            all.extend(step);
            if last {
                return all;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Returns up to `limit` subscriptions of a space that are newer than `after`, oldest first.
    pub fn of_space(
        &self,
        space: &SpaceId,
        after: Option<SubscriptionId>,
        limit: usize,
    ) -> Vec<Arc<CompiledSubscription>> {
        let contents = self.read();
        let Some(of_space) = contents.of_space.get(space) else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        of_space.range((from, Bound::Unbounded)).take(limit).map(|(_, compiled)| compiled.clone()).collect()
    }
}
