//! Why subscriptions match an event or do not, for callers: the same evaluation as for what is posted, with a bound on the
//! work of one request.

use std::sync::Arc;

use hookmill_model::Event;

use super::judging::Reading;
use super::{CompiledSubscription, Registry};
use crate::stages::matching::{self, Budget, SeenMember, Verdict};

/// Steps of one request of a caller: some 0.1 s of one core.
const REQUEST_STEPS: u64 = 4 * Budget::FULL.steps;

/// Why a subscription would match an event if it were active, or would not.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The verdict.
    pub verdict: Verdict,
    /// What its condition reads, if that was evaluated.
    pub seen: Vec<SeenMember>,
}

impl Registry {
    /// Returns why each of these subscriptions would match this event if it were active, or would not: of the first of them, if
    /// others would take longer than a request may; at least of one.
    pub async fn explain(&self, compiled: Vec<Arc<CompiledSubscription>>, event: &Arc<Event>) -> Vec<Explained> {
        let reading = Reading::new(event, &self.env);
        self.in_turns(compiled, reading, REQUEST_STEPS, |compiled, reading| {
            if !matching::selects(&compiled.subscription.event_types, &reading.event().kind) {
                return (Explained { verdict: Verdict::OtherType, seen: Vec::new() }, 1);
            }
            let (verdict, steps) = compiled.verdict(reading);
            let evaluated = verdict != Verdict::NotTriggered;
            let (seen, more) = if evaluated { compiled.seen(reading) } else { (Vec::new(), 0) };
            (Explained { verdict, seen }, steps + more)
        })
        .await
    }
}
