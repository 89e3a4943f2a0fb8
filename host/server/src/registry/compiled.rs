//! A subscription with its parsed parts.

use std::sync::{Arc, OnceLock};

use cel::Env;
use hookmill_model::{Event, Subscription};

use crate::stages::matching::{Condition, EventChanges, EventFacts, Verdict};
use crate::stages::select::Selector;

/// A subscription whose parts are parsed on first use.
#[derive(Debug)]
pub struct CompiledSubscription {
    /// The subscription itself.
    pub subscription: Subscription,
    condition: OnceLock<Option<Condition>>,
    selector: OnceLock<Selector>,
    config: OnceLock<String>,
    shadow_variant: OnceLock<Box<CompiledSubscription>>,
}

impl CompiledSubscription {
    /// Wraps a subscription of which nothing has been parsed yet.
    pub fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            condition: OnceLock::new(),
            selector: OnceLock::new(),
            config: OnceLock::new(),
            shadow_variant: OnceLock::new(),
        }
    }

    /// Returns the selection of fields that its plugin sees.
    pub fn selector(&self) -> &Selector {
        self.selector.get_or_init(|| {
            // Checked when the subscription was saved. If a later version of the library rejects a path, selecting
            // nothing is the safe choice.
            Selector::compile(&self.subscription.fields).unwrap_or_else(|_| Selector::nothing())
        })
    }

    /// Returns its plugin's configuration as JSON text, if it has a plugin.
    pub fn plugin_config(&self) -> Option<&str> {
        let plugin = self.subscription.plugin.as_ref()?;
        Some(self.config.get_or_init(|| plugin.config.to_string()))
    }

    /// Returns the subscription with its shadow in place of its plugin, if it has a shadow.
    pub fn shadow_variant(&self) -> Option<&Self> {
        let shadow = self.subscription.shadow.as_ref()?;
        let variant = || {
            let plugin = Some(shadow.clone());
            Box::new(Self::new(Subscription { plugin, shadow: None, ..self.subscription.clone() }))
        };
        Some(self.shadow_variant.get_or_init(variant))
    }

    /// Returns whether an event of a matching type meets its trigger and condition.
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
            None => Verdict::ConditionFailed("it cannot be parsed".to_owned()),
        }
    }
}

/// An event as triggers and conditions see it, read on first use.
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
