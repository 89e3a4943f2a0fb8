//! A subscription with its parsed parts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use hookmill_model::{Invalid, Subscription};

use super::judging::{Allowance, BYTE_STEPS, Reading};
use super::standing::Standing;
use crate::stages::matching::{Budget, Condition, ConditionError, SeenMember, Verdict};
use crate::stages::select::Selector;

/// Steps of parsing a byte of a condition: 4 KiB take up to 0.1 s.
const PARSE_STEPS: u64 = 100;

/// Steps of collecting and showing the members that a condition names, at most.
const SEEN_STEPS: u64 = 5_000;

/// A subscription whose parts are parsed on first use.
#[derive(Debug)]
pub struct CompiledSubscription {
    /// The subscription itself.
    pub subscription: Subscription,
    condition: OnceLock<Result<Condition, Invalid>>,
    /// Events in a row for which the condition could not be evaluated within its limits.
    condition_failures: AtomicU32,
    selector: OnceLock<Selector>,
    config: OnceLock<String>,
    shadow_variant: OnceLock<Box<CompiledSubscription>>,
    /// How it has been doing.
    pub standing: Arc<Standing>,
}

impl CompiledSubscription {
    /// Wraps a subscription of which nothing has been parsed yet.
    pub fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            condition: OnceLock::new(),
            condition_failures: AtomicU32::new(0),
            selector: OnceLock::new(),
            config: OnceLock::new(),
            shadow_variant: OnceLock::new(),
            standing: Arc::default(),
        }
    }

    /// Returns the selection of fields that its plugin sees.
    pub fn selector(&self) -> &Selector {
        self.selector.get_or_init(|| {
            // Checked when the subscription was saved, but perhaps with other limits. Nothing is sent then.
            Selector::compile(&self.subscription.fields).unwrap_or_else(|err| {
                tracing::warn!(subscription.id = %self.subscription.id, error = %err, "field selection set aside");
                Selector::invalid(err)
            })
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

    /// Whether it has neither a trigger nor a condition.
    pub(super) fn wants_all(&self) -> bool {
        self.subscription.trigger.is_none() && self.subscription.condition.is_none()
    }

    /// Returns the verdict on an event of a matching type if the allowance suffices for it.
    pub(super) fn verdict_within(&self, reading: &mut Reading, allowance: &mut Allowance) -> Option<Verdict> {
        let Subscription { trigger, condition, .. } = &self.subscription;
        if let Some(trigger) = trigger {
            allowance.take_bytes(reading.changes_bytes())?;
            allowance.take(reading.trigger_steps(trigger))?;
            if !reading.changes().fire(trigger) {
                return Some(Verdict::NotTriggered);
            }
        }
        if condition.is_none() {
            return Some(Verdict::Wanted);
        }
        // Parsing takes up to 0.1 s.
        let Ok(condition) = self.condition.get()? else { return Some(self.condition_verdict(reading, 0).0) };
        allowance.take_bytes(reading.facts_bytes())?;
        let budget = Budget { steps: allowance.steps().min(Budget::FULL.steps), ..Budget::FULL };
        let (held, steps) = condition.holds_within(reading.facts(), budget);
        allowance.take(steps)?;
        match held {
            Err(ConditionError::OverBudget) if budget != Budget::FULL => None,
            held => Some(verdict(held)),
        }
    }

    /// Returns the verdict on an event of a matching type, and the steps that it took.
    pub(super) fn verdict(&self, reading: &mut Reading) -> (Verdict, u64) {
        let mut steps = 0;
        if let Some(trigger) = &self.subscription.trigger {
            steps += BYTE_STEPS * reading.changes_bytes() + reading.trigger_steps(trigger);
            if !reading.changes().fire(trigger) {
                return (Verdict::NotTriggered, steps);
            }
        }
        self.condition_verdict(reading, steps)
    }

    fn condition_verdict(&self, reading: &mut Reading, steps: u64) -> (Verdict, u64) {
        let Some(source) = &self.subscription.condition else { return (Verdict::Wanted, steps) };
        let parsing = if self.condition.get().is_none() { PARSE_STEPS * source.len() as u64 } else { 0 };
        let steps = steps + parsing;
        let parsed = self.condition.get_or_init(|| {
            let parsed = Condition::parse(source);
            if let Err(err) = &parsed {
                tracing::warn!(
                    subscription.id = %self.subscription.id,
                    error = %err,
                    "condition set aside: the subscription matches no event until it is changed"
                );
            }
            parsed
        });
        match parsed {
            Ok(condition) => {
                let cost = BYTE_STEPS * reading.facts_bytes();
                let (held, used) = condition.holds_within(reading.facts(), Budget::FULL);
                (verdict(held), steps + cost + used)
            }
            Err(err) => (Verdict::ConditionFailed(ConditionError::Invalid(err.clone())), steps),
        }
    }

    /// Returns the members of the event that the condition names, if it was evaluated, and the steps that it took.
    pub(super) fn seen(&self, reading: &mut Reading) -> (Vec<SeenMember>, u64) {
        let Some(Ok(condition)) = self.condition.get() else { return (Vec::new(), 0) };
        let steps = BYTE_STEPS * reading.changes_bytes() + SEEN_STEPS;
        let event = reading.event().clone();
        (condition.seen(&event, reading.changes()), steps)
    }

    /// Counts a verdict. Returns the number of events in a row for which the condition could not be evaluated within its
    /// limits.
    pub(super) fn count(&self, verdict: &Verdict) -> u32 {
        match verdict {
            Verdict::ConditionFailed(ConditionError::Invalid(_) | ConditionError::OverBudget) => {
                self.condition_failures.fetch_add(1, Ordering::Relaxed) + 1
            }
            Verdict::Wanted | Verdict::ConditionFalse | Verdict::ConditionFailed(ConditionError::Failed(_)) => {
                // Read first: the line of memory stays shared between the threads.
                if self.condition_failures.load(Ordering::Relaxed) > 0 {
                    self.condition_failures.store(0, Ordering::Relaxed);
                }
                0
            }
            Verdict::OtherType | Verdict::NotTriggered => 0,
        }
    }
}

fn verdict(held: Result<bool, ConditionError>) -> Verdict {
    match held {
        Ok(true) => Verdict::Wanted,
        Ok(false) => Verdict::ConditionFalse,
        Err(reason) => Verdict::ConditionFailed(reason),
    }
}
