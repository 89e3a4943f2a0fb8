//! Which subscriptions want an event: triggers and conditions, which take time.
//!
//! What is cheap is done on the thread that serves the request, within an [`Allowance`] for the whole request. The rest goes to
//! blocking threads, a turn at a time: a space has one turn, and takes it in the order in which spaces ask.

use std::sync::Arc;

use cel::Env;
use hookmill_model::{Event, Trigger};

use super::{CompiledSubscription, Registry};
use crate::stages::matching::{self, Budget, EventChanges, EventFacts, Verdict};
use crate::task::long;

/// Steps of a request's conditions on the thread that serves it: about 0.7 ms. Some hundred usual conditions take less.
const ALLOWANCE_STEPS: u64 = 15_000;

/// Bytes of a request's events that are read for triggers and conditions on the thread that serves it, which has parsed them
/// before: 1 to 3 ms.
const ALLOWANCE_BYTES: u64 = 64 << 10;

/// Steps of reading a byte of an event on a blocking thread.
pub(super) const BYTE_STEPS: u64 = 2;

/// Events in a row for which a condition cannot be evaluated within its limits that pause its subscription.
const PAUSE_AFTER: u32 = 10;

/// Turns at once: the share of the machine that conditions which take long may have.
pub(super) fn turns() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| (cores.get() / 2).max(2))
}

/// What a request may still spend on the thread that serves it.
#[derive(Debug)]
pub struct Allowance {
    steps: u64,
    bytes: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { steps: ALLOWANCE_STEPS, bytes: ALLOWANCE_BYTES }
    }
}

impl Allowance {
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Takes steps; `None`, and all the rest is taken, if they are more than what is left.
    pub(super) fn take(&mut self, steps: u64) -> Option<()> {
        take(&mut self.steps, steps)
    }

    /// Takes bytes that are read; `None`, and all the rest is taken, if they are more than what is left.
    pub(super) fn take_bytes(&mut self, bytes: u64) -> Option<()> {
        take(&mut self.bytes, bytes)
    }
}

fn take(from: &mut u64, what: u64) -> Option<()> {
    let left = from.checked_sub(what);
    *from = left.unwrap_or(0);
    left.map(|_| ())
}

/// The subscriptions that match an event.
#[derive(Debug, Default)]
pub struct Matched {
    /// Those that want it, oldest first.
    pub wanted: Vec<Arc<CompiledSubscription>>,
    /// How many conditions could not be evaluated within their limits.
    pub over_limits: u64,
    /// Those to pause.
    pub exhausted: Vec<Exhausted>,
}

/// A subscription whose condition could not be evaluated within its limits too many times in a row.
#[derive(Debug)]
pub struct Exhausted {
    /// The subscription.
    pub compiled: Arc<CompiledSubscription>,
    /// Why, for its owner.
    pub detail: String,
}

impl Registry {
    /// Returns the active subscriptions that match this event.
    pub async fn matching(&self, event: &Arc<Event>, allowance: &mut Allowance) -> Matched {
        // Triggers and conditions are evaluated without holding the lock.
        let mut candidates = self.candidates(event);
        if candidates.iter().all(|compiled| compiled.wants_all()) {
            return Matched { wanted: candidates, ..Matched::default() };
        }
        let mut reading = Reading::new(event, &self.env);
        let mut verdicts: Vec<_> =
            candidates.iter().map(|compiled| compiled.verdict_within(&mut reading, allowance)).collect();
        let later = candidates.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none());
        let later: Vec<_> = later.map(|(compiled, _)| compiled.clone()).collect();
        if !later.is_empty() {
            let mut judged = self.judge(later, reading).await.into_iter();
            verdicts.iter_mut().filter(|verdict| verdict.is_none()).for_each(|verdict| *verdict = judged.next());
        }
        let (mut over_limits, mut exhausted) = (0, Vec::new());
        let mut verdicts = verdicts.into_iter().flatten();
        candidates.retain(|compiled| {
            let verdict = verdicts.next().expect("each candidate has a verdict");
            let failures = compiled.count(&verdict);
            over_limits += u64::from(failures > 0);
            if failures >= PAUSE_AFTER
                && let Verdict::ConditionFailed(reason) = &verdict
            {
                let detail = format!("the condition failed for {failures} events in a row: {reason}");
                exhausted.push(Exhausted { compiled: compiled.clone(), detail });
            }
            verdict == Verdict::Wanted
        });
        Matched { wanted: candidates, over_limits, exhausted }
    }

    /// Returns whether `compiled` would match this event if it were active, and if not, why.
    pub async fn verdict(&self, compiled: &Arc<CompiledSubscription>, event: &Event) -> Verdict {
        if !matching::selects(&compiled.subscription.event_types, &event.kind) {
            return Verdict::OtherType;
        }
        self.decide(compiled, &Arc::new(event.clone()), &mut Allowance::default()).await
    }

    /// Returns the verdict of a trigger and a condition on an event, whatever its type.
    pub async fn decide(
        &self,
        compiled: &Arc<CompiledSubscription>,
        event: &Arc<Event>,
        allowance: &mut Allowance,
    ) -> Verdict {
        let mut reading = Reading::new(event, &self.env);
        if let Some(verdict) = compiled.verdict_within(&mut reading, allowance) {
            return verdict;
        }
        self.judge(vec![compiled.clone()], reading).await.remove(0)
    }

    /// Evaluates triggers and conditions on a blocking thread, in turn with other spaces.
    async fn judge(&self, compiled: Vec<Arc<CompiledSubscription>>, reading: Reading) -> Vec<Verdict> {
        self.in_turns(compiled, reading, u64::MAX, CompiledSubscription::verdict).await
    }

    /// Evaluates something of each subscription on a blocking thread, in turn with other spaces, until `steps_max` are used up;
    /// of one in any case. `each` returns the steps that it took, too.
    pub(super) async fn in_turns<T: Send + 'static>(
        &self,
        compiled: Vec<Arc<CompiledSubscription>>,
        mut reading: Reading,
        steps_max: u64,
        each: impl Fn(&CompiledSubscription, &mut Reading) -> (T, u64) + Copy + Send + 'static,
    ) -> Vec<T> {
        let mut waiting = compiled.into_iter();
        let mut results = Vec::with_capacity(waiting.len());
        let mut left = steps_max;
        // One event of a space at a time is in memory as conditions see it.
        let place = self.turns.place(&reading.event.space).await;
        while waiting.len() > 0 && left > 0 {
            let turn = place.turn().await;
            let judging = long(move || {
                let mut steps = 0;
                // A turn is one long condition, or many short ones.
                while steps < Budget::FULL.steps.min(left)
                    && let Some(compiled) = waiting.next()
                {
                    let (result, used) = each(&compiled, &mut reading);
                    steps += used.max(1);
                    results.push(result);
                }
                drop(turn);
                (waiting, reading, results, left.saturating_sub(steps))
            });
            (waiting, reading, results, left) = judging.await;
        }
        results
    }
}

/// An event as triggers and conditions see it, read on first use.
pub(super) struct Reading {
    event: Arc<Event>,
    env: Arc<Env>,
    bytes: u64,
    changes: Option<EventChanges>,
    facts: Option<EventFacts<'static>>,
}

impl Reading {
    pub(super) fn new(event: &Arc<Event>, env: &Arc<Env>) -> Self {
        let previous = event.previous.as_ref().map_or(0, |previous| previous.get().len());
        let bytes = (event.data.get().len() + previous) as u64;
        Self { event: event.clone(), env: env.clone(), bytes, changes: None, facts: None }
    }

    pub(super) fn event(&self) -> &Arc<Event> {
        &self.event
    }

    pub(super) fn changes(&mut self) -> &EventChanges {
        self.changes.get_or_insert_with(|| EventChanges::of(&self.event))
    }

    pub(super) fn facts(&mut self) -> &EventFacts<'static> {
        self.facts.get_or_insert_with(|| EventFacts::of(&self.event, &self.env))
    }

    /// Returns the bytes to read for triggers, if that is still to be done.
    pub(super) fn changes_bytes(&self) -> u64 {
        if self.changes.is_none() { self.bytes } else { 0 }
    }

    /// Returns the steps of comparing each of a trigger's fields as a whole.
    pub(super) fn trigger_steps(&self, trigger: &Trigger) -> u64 {
        if self.event.previous.is_some() { self.bytes / 16 * trigger.fields.len() as u64 } else { 0 }
    }

    /// Returns the bytes to read for conditions, if that is still to be done.
    pub(super) fn facts_bytes(&self) -> u64 {
        if self.facts.is_none() { self.bytes } else { 0 }
    }
}
