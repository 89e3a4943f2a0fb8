//! The subscriptions in memory, beside the rows: what matching and delivering ask on every event.
//!
//! Rows are the truth. A change is written to the store first and entered here after, by whoever made it, under
//! [`Registry::changing`]; a restart reads everything anew.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cel::Env;
use url::Url;

use crate::matching::{self, Changes, Condition, Facts, Index, Verdict};
use crate::model::{Event, Pattern, SpaceId, Subscription, SubscriptionId, SubscriptionState};
use crate::store::{Store, StoreError};
use crate::transform::select::Selector;

/// Subscriptions read from the store at a time.
const PAGE: usize = 1_000;

/// A subscription with what is parsed of it on first use.
#[derive(Debug)]
pub struct Live {
    /// The subscription.
    pub subscription: Subscription,
    condition: OnceLock<Option<Condition>>,
    selector: OnceLock<Selector>,
    config: OnceLock<String>,
    beside: OnceLock<Box<Live>>,
}

impl Live {
    /// A subscription of which nothing is parsed yet.
    pub fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            condition: OnceLock::new(),
            selector: OnceLock::new(),
            config: OnceLock::new(),
            beside: OnceLock::new(),
        }
    }

    /// Which fields its plugin sees.
    pub fn selector(&self) -> &Selector {
        self.selector.get_or_init(|| {
            // Checked when the subscription was saved. Should a later version of the library read a path otherwise,
            // showing nothing is the safe side.
            Selector::compile(&self.subscription.fields).unwrap_or_else(|_| Selector::nothing())
        })
    }

    /// Its plugin's configuration as JSON text, if it has a plugin.
    pub fn plugin_config(&self) -> Option<&str> {
        let plugin = self.subscription.plugin.as_ref()?;
        Some(self.config.get_or_init(|| plugin.config.to_string()))
    }

    /// The same with its shadow in the place of its plugin, if it has one.
    pub fn beside(&self) -> Option<&Self> {
        let shadow = self.subscription.shadow.as_ref()?;
        let beside = || {
            let plugin = Some(shadow.clone());
            Box::new(Self::new(Subscription { plugin, shadow: None, ..self.subscription.clone() }))
        };
        Some(self.beside.get_or_init(beside))
    }

    /// Whether an event of a type that it wants pulls its trigger and meets its condition.
    fn verdict(&self, reading: &mut Reading<'_>) -> Verdict {
        if self.subscription.trigger.as_ref().is_some_and(|trigger| !reading.changes().pull(trigger)) {
            return Verdict::NotTriggered;
        }
        let Some(source) = &self.subscription.condition else { return Verdict::Wanted };
        let condition = self.condition.get_or_init(|| Condition::parse(source).ok());
        match condition.as_ref().map(|condition| condition.holds(reading.facts())) {
            Some(Ok(true)) => Verdict::Wanted,
            Some(Ok(false)) => Verdict::ConditionFalse,
            Some(Err(reason)) => Verdict::ConditionFailed(reason),
            None => Verdict::ConditionFailed("it cannot be read".to_owned()),
        }
    }
}

/// An event as triggers and conditions see it; read for them once, if at all.
struct Reading<'a> {
    event: &'a Event,
    env: &'a Arc<Env>,
    changes: Option<Changes>,
    facts: Option<Facts<'static>>,
}

impl<'a> Reading<'a> {
    fn new(event: &'a Event, env: &'a Arc<Env>) -> Self {
        Self { event, env, changes: None, facts: None }
    }

    fn changes(&mut self) -> &Changes {
        self.changes.get_or_insert_with(|| Changes::of(self.event))
    }

    fn facts(&mut self) -> &Facts<'static> {
        self.facts.get_or_insert_with(|| Facts::of(self.event, self.env))
    }
}

/// Whether two subscriptions send the same events to the same place for the same reason.
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
    spaces: RwLock<Contents>,
    changing: tokio::sync::Mutex<()>,
    env: Arc<Env>,
}

#[derive(Default)]
struct Contents {
    live: HashMap<SubscriptionId, Arc<Live>>,
    active: HashMap<SpaceId, Index>,
    by_url: HashMap<(SpaceId, String), BTreeSet<SubscriptionId>>,
    by_field: HashMap<(SpaceId, String), BTreeSet<SubscriptionId>>,
}

impl Contents {
    fn insert(&mut self, subscription: Subscription) {
        let id = subscription.id;
        let space = &subscription.space;
        if subscription.state == SubscriptionState::Active {
            self.active.entry(space.clone()).or_default().insert(id, &subscription.event_types);
        }
        self.by_url.entry((space.clone(), subscription.url.as_str().to_owned())).or_default().insert(id);
        for field in subscription.trigger.iter().flat_map(|trigger| &trigger.fields) {
            self.by_field.entry((space.clone(), field.clone())).or_default().insert(id);
        }
        self.live.insert(id, Arc::new(Live::new(subscription)));
    }

    fn remove(&mut self, id: SubscriptionId) {
        let Some(old) = self.live.remove(&id) else { return };
        let Subscription { space, url, event_types, trigger, .. } = &old.subscription;
        if let Some(index) = self.active.get_mut(space) {
            index.remove(id, event_types);
        }
        remove_from(&mut self.by_url, (space.clone(), url.as_str().to_owned()), id);
        for field in trigger.iter().flat_map(|trigger| &trigger.fields) {
            remove_from(&mut self.by_field, (space.clone(), field.clone()), id);
        }
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
    /// Reads every subscription from the store.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let registry =
            Self { spaces: RwLock::default(), changing: tokio::sync::Mutex::default(), env: matching::environment() };
        let mut after = None;
        loop {
            let page = store.subscriptions(None, after, PAGE).await?;
            after = page.last().map(|(subscription, _)| subscription.id);
            let last = page.len() < PAGE;
            page.into_iter().for_each(|(subscription, _)| registry.put(subscription));
            if last {
                return Ok(registry);
            }
        }
    }

    /// Keeps everybody else from changing a subscription between a reading and a writing of it.
    pub async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Enters a subscription, or replaces or (if it is deleted) removes it.
    pub fn put(&self, subscription: Subscription) {
        let mut contents = self.write();
        contents.remove(subscription.id);
        if subscription.state != SubscriptionState::Deleted {
            contents.insert(subscription);
        }
    }

    /// One subscription; none if it is deleted or never was.
    pub fn get(&self, id: SubscriptionId) -> Option<Arc<Live>> {
        self.read().live.get(&id).cloned()
    }

    /// The active subscriptions that want this event.
    pub fn matching(&self, event: &Event) -> Vec<Arc<Live>> {
        let mut wanting: Vec<_> = {
            let contents = self.read();
            let Some(index) = contents.active.get(&event.space) else { return Vec::new() };
            index.candidates(&event.kind).into_iter().filter_map(|id| contents.live.get(&id).cloned()).collect()
        };
        // Triggers and conditions are evaluated without the lock.
        let mut reading = Reading::new(event, &self.env);
        wanting.retain(|live| live.verdict(&mut reading) == Verdict::Wanted);
        wanting
    }

    /// Whether `live` would want this event if it were active, and why not.
    pub fn verdict(&self, live: &Live, event: &Event) -> Verdict {
        let asked = |pattern: &&Pattern| **pattern != Pattern::All || !event.kind.is_operational();
        if !live.subscription.event_types.iter().filter(asked).any(|pattern| pattern.matches(&event.kind)) {
            return Verdict::OtherType;
        }
        live.verdict(&mut Reading::new(event, &self.env))
    }

    /// The subscriptions of a space that send to this URL, oldest first.
    pub fn sending_to(&self, space: &SpaceId, url: &Url) -> Vec<Arc<Live>> {
        let contents = self.read();
        let ids = contents.by_url.get(&(space.clone(), url.as_str().to_owned())).into_iter().flatten();
        ids.filter_map(|id| contents.live.get(id).cloned()).collect()
    }

    /// The subscription of a space that a change of this field triggers; a space has one at most.
    pub fn triggered_by(&self, space: &SpaceId, field: &str) -> Option<Arc<Live>> {
        let contents = self.read();
        let id = contents.by_field.get(&(space.clone(), field.to_owned()))?.first()?;
        contents.live.get(id).cloned()
    }

    /// All subscriptions of which `wanted` is true.
    pub fn all(&self, wanted: impl Fn(&Subscription) -> bool) -> Vec<Arc<Live>> {
        self.read().live.values().filter(|live| wanted(&live.subscription)).cloned().collect()
    }

    /// All subscriptions that keep what came of their deliveries for a time only.
    pub fn forgetful(&self) -> Vec<Arc<Live>> {
        self.all(|subscription| subscription.keep_days.is_some())
    }

    // A panic elsewhere leaves whole entries behind: each is replaced in one step.
    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.spaces.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.spaces.write().unwrap_or_else(PoisonError::into_inner)
    }
}
