//! The subscriptions in memory, beside the rows: what matching and delivering ask on every event.
//!
//! Rows are the truth. A change is written to the store first and entered here after, by whoever made it, under
//! [`Registry::changing`]; a restart reads everything anew.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cel::Env;

use crate::matching::{self, Condition, Facts, Index};
use crate::model::{Event, SpaceId, Subscription, SubscriptionId, SubscriptionState};
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
}

impl Live {
    fn new(subscription: Subscription) -> Self {
        Self { subscription, condition: OnceLock::new(), selector: OnceLock::new(), config: OnceLock::new() }
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

    /// Whether its condition, if it has one, holds. What cannot be told means no.
    fn wants(&self, facts: impl FnOnce() -> Arc<Facts<'static>>) -> bool {
        let Some(source) = &self.subscription.condition else { return true };
        let condition = self.condition.get_or_init(|| Condition::parse(source).ok());
        condition.as_ref().is_some_and(|condition| condition.holds(&facts()).unwrap_or(false))
    }
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
        let Contents { live, active } = &mut *contents;
        let id = subscription.id;
        if let Some(old) = live.remove(&id)
            && let Some(index) = active.get_mut(&old.subscription.space)
        {
            index.remove(id, &old.subscription.event_types);
        }
        match subscription.state {
            SubscriptionState::Deleted => return,
            SubscriptionState::Paused => {}
            SubscriptionState::Active => {
                active.entry(subscription.space.clone()).or_default().insert(id, &subscription.event_types);
            }
        }
        live.insert(id, Arc::new(Live::new(subscription)));
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
        // Conditions are evaluated without the lock, and the event is read for them once, if at all.
        let mut facts = None;
        wanting
            .retain(|live| live.wants(|| facts.get_or_insert_with(|| Arc::new(Facts::of(event, &self.env))).clone()));
        wanting
    }

    // A panic elsewhere leaves whole entries behind: each is replaced in one step.
    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.spaces.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.spaces.write().unwrap_or_else(PoisonError::into_inner)
    }
}
