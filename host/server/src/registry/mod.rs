//! The subscriptions in memory: what matching and delivering read for every event.
//!
//! The store is authoritative. A change is written to the store first and then to memory, both by [`Changing`]; a
//! restart reads everything again.

mod compiled;
mod explaining;
mod judging;
mod search;
mod standing;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cel::Env;
use hookmill_model::{Activity, Digest, Event, SpaceId, Subscription, SubscriptionId, SubscriptionState};
use hookmill_store::{Store, StoreError};
use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard};
use url::Url;

pub use self::compiled::CompiledSubscription;
pub use self::explaining::Explained;
pub use self::judging::{Allowance, Exhausted, Matched};
pub use self::search::{FoundSubscription, Order, Search, SortBy, SortKey};
pub use self::standing::Standing;
use crate::stages::matching::{self, Index};
use crate::task::SpaceTurns;

/// Number of subscriptions read from the store at a time.
const PAGE: usize = 1_000;

/// Returns whether two subscriptions are identical: same URL, event types, trigger and condition.
pub fn identical(one: &Subscription, other: &Subscription) -> bool {
    let types = |subscription: &Subscription| -> BTreeSet<_> {
        subscription.event_types.iter().map(ToString::to_string).collect()
    };
    one.url == other.url
        && types(one) == types(other)
        && one.trigger == other.trigger
        && one.condition == other.condition
}

/// All subscriptions that are not deleted.
pub struct Registry {
    store: Arc<dyn Store>,
    contents: RwLock<Contents>,
    changing: Mutex<()>,
    env: Arc<Env>,
    /// Turns of conditions that take long.
    turns: SpaceTurns,
}

/// Lock that is held from reading a subscription to writing it. Nothing else can save one.
pub struct Changing<'a> {
    registry: &'a Registry,
    _lock: MutexGuard<'a, ()>,
}

impl Changing<'_> {
    /// The registry that this changes.
    pub fn registry(&self) -> &Registry {
        self.registry
    }

    /// Writes a subscription, to the store first and then to memory.
    ///
    /// # Errors
    /// If the store fails: then nothing is changed.
    pub async fn save(&self, subscription: &Subscription, now: Timestamp) -> Result<(), StoreError> {
        self.registry.store.put_subscription(subscription, now).await?;
        self.registry.put(subscription.clone(), None);
        Ok(())
    }

    /// Reads a subscription from the store into memory; none if the store has none.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn reload(&self, space: &SpaceId, id: SubscriptionId) -> Result<Option<Subscription>, StoreError> {
        let found = self.registry.store.subscription(space, id).await?;
        let Some((subscription, activity)) = found else { return Ok(None) };
        self.registry.put(subscription.clone(), Some(activity));
        Ok(Some(subscription))
    }
}

#[derive(Default)]
struct Contents {
    subscriptions: HashMap<SubscriptionId, Arc<CompiledSubscription>>,
    active: HashMap<SpaceId, Index>,
    by_url: HashMap<(SpaceId, String), BTreeSet<SubscriptionId>>,
    by_field: HashMap<(SpaceId, String), BTreeSet<SubscriptionId>>,
    /// Those of each space, oldest first.
    of_space: HashMap<SpaceId, BTreeMap<SubscriptionId, Arc<CompiledSubscription>>>,
    /// How many of each space use a plugin's version, by the digest of its component.
    by_plugin: HashMap<SpaceId, HashMap<Digest, usize>>,
}

impl Contents {
    fn insert(&mut self, subscription: Subscription, standing: Arc<Standing>) {
        let id = subscription.id;
        let space = &subscription.space;
        if subscription.state == SubscriptionState::Active {
            self.active.entry(space.clone()).or_default().insert(id, &subscription.event_types);
        }
        self.by_url.entry((space.clone(), subscription.url.as_str().to_owned())).or_default().insert(id);
        for field in subscription.trigger.iter().flat_map(|trigger| &trigger.fields) {
            self.by_field.entry((space.clone(), field.clone())).or_default().insert(id);
        }
        if let Some(plugin) = &subscription.plugin {
            *self.by_plugin.entry(space.clone()).or_default().entry(plugin.digest).or_default() += 1;
        }
        let mut compiled = CompiledSubscription::new(subscription);
        compiled.standing = standing;
        let compiled = Arc::new(compiled);
        self.of_space.entry(compiled.subscription.space.clone()).or_default().insert(id, compiled.clone());
        self.subscriptions.insert(id, compiled);
    }

    fn remove(&mut self, id: SubscriptionId) -> Option<Arc<CompiledSubscription>> {
        let old = self.subscriptions.remove(&id)?;
        let Subscription { space, url, event_types, trigger, plugin, .. } = &old.subscription;
        if let Some(of_space) = self.of_space.get_mut(space) {
            of_space.remove(&id);
        }
        if let Some(plugin) = plugin
            && let Some(count) = self.by_plugin.get_mut(space).and_then(|users| users.get_mut(&plugin.digest))
        {
            *count -= 1;
        }
        if let Some(index) = self.active.get_mut(space) {
            index.remove(id, event_types);
        }
        remove_from(&mut self.by_url, (space.clone(), url.as_str().to_owned()), id);
        for field in trigger.iter().flat_map(|trigger| &trigger.fields) {
            remove_from(&mut self.by_field, (space.clone(), field.clone()), id);
        }
        Some(old)
    }
}

fn remove_from(
    index: &mut HashMap<(SpaceId, String), BTreeSet<SubscriptionId>>,
    key: (SpaceId, String),
    id: SubscriptionId,
) {
    if let Entry::Occupied(mut ids) = index.entry(key) {
        ids.get_mut().remove(&id);
        if ids.get().is_empty() {
            ids.remove();
        }
    }
}

impl Registry {
    /// Returns the number of a space's subscriptions.
    pub fn count(&self, space: &SpaceId) -> usize {
        self.read().of_space.get(space).map_or(0, BTreeMap::len)
    }

    /// Returns how many subscriptions of a space use each version of a plugin, by the digest of its component.
    pub fn plugin_users(&self, space: &SpaceId) -> HashMap<Digest, usize> {
        self.read().by_plugin.get(space).cloned().unwrap_or_default()
    }

    /// Reads every subscription from the store.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let (contents, changing) = (RwLock::default(), Mutex::default());
        let turns = SpaceTurns::new(judging::turns());
        let registry = Self { store, contents, changing, env: matching::environment(), turns };
        let mut page = registry.store.subscriptions(None, None, PAGE).await?;
        loop {
            let insert = async {
                page.entries
                    .into_iter()
                    .for_each(|(subscription, activity)| registry.put(subscription, Some(activity)));
            };
            let Some(after) = page.next else {
                insert.await;
                return Ok(registry);
            };
            // The store's thread reads the next page while this one inserts.
            let (next, ()) = tokio::join!(registry.store.subscriptions(None, Some(after), PAGE), insert);
            page = next?;
        }
    }

    /// Takes the lock for a change; waits until no other is in progress.
    pub async fn changing(&self) -> Changing<'_> {
        Changing { registry: self, _lock: self.changing.lock().await }
    }

    /// Inserts, replaces or (if it is deleted) removes a subscription. Without its activity, that is as it was.
    fn put(&self, subscription: Subscription, activity: Option<Activity>) {
        let mut contents = self.write();
        let old = contents.remove(subscription.id);
        if subscription.state == SubscriptionState::Deleted {
            return;
        }
        let activated = old.as_ref().is_some_and(|old| old.subscription.state != SubscriptionState::Active)
            && subscription.state == SubscriptionState::Active;
        // The same as before: attempts in flight hold it.
        let standing = old.map_or_else(Arc::default, |old| old.standing.clone());
        match activity {
            Some(activity) => standing.set(activity),
            None if activated => standing.forget_failures(),
            None => {}
        }
        contents.insert(subscription, standing);
    }

    /// Returns a subscription; none if there is none or it is deleted.
    pub fn get(&self, id: SubscriptionId) -> Option<Arc<CompiledSubscription>> {
        self.read().subscriptions.get(&id).cloned()
    }

    /// Returns the active subscriptions that select this event's type, oldest first.
    fn candidates(&self, event: &Event) -> Vec<Arc<CompiledSubscription>> {
        let contents = self.read();
        let Some(index) = contents.active.get(&event.space) else { return Vec::new() };
        index.candidates(&event.kind).into_iter().filter_map(|id| contents.subscriptions.get(&id).cloned()).collect()
    }

    /// Returns the subscriptions of a space that send to this URL, oldest first.
    pub fn sending_to(&self, space: &SpaceId, url: &Url) -> Vec<Arc<CompiledSubscription>> {
        let contents = self.read();
        let ids = contents.by_url.get(&(space.clone(), url.as_str().to_owned())).into_iter().flatten();
        ids.filter_map(|id| contents.subscriptions.get(id).cloned()).collect()
    }

    /// Returns the subscription of a space that a change of this field triggers; there is at most one.
    pub fn triggered_by(&self, space: &SpaceId, field: &str) -> Option<Arc<CompiledSubscription>> {
        let contents = self.read();
        let id = contents.by_field.get(&(space.clone(), field.to_owned()))?.first()?;
        contents.subscriptions.get(id).cloned()
    }

    /// Returns all subscriptions for which `wanted` is true.
    pub fn all(&self, wanted: impl Fn(&Subscription) -> bool) -> Vec<Arc<CompiledSubscription>> {
        self.read().subscriptions.values().filter(|compiled| wanted(&compiled.subscription)).cloned().collect()
    }

    /// Returns all subscriptions that keep the results of their deliveries for a limited time.
    pub fn forgetful(&self) -> Vec<Arc<CompiledSubscription>> {
        self.all(|subscription| subscription.keep_days.is_some())
    }

    // Poisoning does not matter: entries are replaced in one step, so a panic elsewhere leaves whole ones.
    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner)
    }
}
