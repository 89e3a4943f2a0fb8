//! A subscription with what is parsed of it.

use std::sync::{Arc, OnceLock};

use cel::Env;
use hookmill_model::{Event, Subscription};

use crate::stages::matching::{Condition, EventChanges, EventFacts, Verdict};
use crate::stages::select::Selector;

/// A subscription with what is parsed of it on first use.
#[derive(Debug)]
pub struct CompiledSubscription {
    /// The subscription.
    pub subscription: Subscription,
    condition: OnceLock<Option<Condition>>,
    selector: OnceLock<Selector>,
    config: OnceLock<String>,
    shadow_variant: OnceLock<Box<CompiledSubscription>>,
}

impl CompiledSubscription {
    /// A subscription of which nothing is parsed yet.
    pub fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            condition: OnceLock::new(),
            selector: OnceLock::new(),
            config: OnceLock::new(),
            shadow_variant: OnceLock::new(),
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
    pub fn shadow_variant(&self) -> Option<&Self> {
        let shadow = self.subscription.shadow.as_ref()?;
        let beside = || {
            let plugin = Some(shadow.clone());
            Box::new(Self::new(Subscription { plugin, shadow: None, ..self.subscription.clone() }))
        };
        Some(self.shadow_variant.get_or_init(beside))
    }

    /// Whether an event of a type that it wants pulls its trigger and meets its condition.
    pub(super) fn verdict(&self, reading: &mut Reading<'_>) -> Verdict {
        if self.subscription.trigger.as_ref().is_some_and(|trigger| !reading.changes().fire(trigger)) {
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
pub(super) struct Reading<'a> {
    event: &'a Event,
    env: &'a Arc<Env>,
    changes: Option<EventChanges>,
    facts: Option<EventFacts<'static>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(event: &'a Event, env: &'a Arc<Env>) -> Self {
        Self { event, env, changes: None, facts: None }
    }

    fn changes(&mut self) -> &EventChanges {
        self.changes.get_or_insert_with(|| EventChanges::of(self.event))
    }

    fn facts(&mut self) -> &EventFacts<'static> {
        self.facts.get_or_insert_with(|| EventFacts::of(self.event, self.env))
    }
}
