//! A step of a replay.

use std::sync::Arc;

use hookmill_model::{Replay, ReplayState, ReplayWhat, Subscription, SubscriptionState};
use hookmill_store::{ReplayEntry, ReplayStep, StoreError};
use jiff::{SignedDuration, Timestamp};

use crate::clock::after;
use crate::host::Host;
use crate::registry::{Allowance, CompiledSubscription};
use crate::stages::matching::{self, ConditionError, Verdict};

/// Deliveries of one step, or a part of them while several spaces commit: some 10 ms of the writer, for which others wait.
const SEND_MAX: usize = 250;

/// Events that a step examines if it only compares their types.
const EXAMINED_MAX: usize = 500;

/// Events that a step examines with a trigger or a condition, whose evaluation may take long.
const JUDGED_MAX: usize = 100;

/// Due deliveries of the subscription with which a replay makes no more: some seconds of a usual receiver.
pub(super) const BACKLOG_MAX: usize = 1_000;

/// Time after which a replay looks again whether the backlog is shorter.
const BACKLOG_WAIT: SignedDuration = SignedDuration::from_secs(1);

/// Time after which a replay looks again whether its subscription is active.
const INACTIVE_WAIT: SignedDuration = SignedDuration::from_secs(10);

/// Takes one step of a replay: it sends something, waits, or ends.
pub(super) async fn step(host: &Host, replay: Replay) -> Result<(), StoreError> {
    let Some(compiled) = host.registry.get(replay.subscription_id) else {
        let reason = Some("the subscription was deleted");
        return host.store.end_replay(replay.id, ReplayState::Failed, reason, host.clock.now()).await;
    };
    if compiled.subscription.state != SubscriptionState::Active {
        return wait(host, &replay, INACTIVE_WAIT, "the subscription is not active").await;
    }
    let replay = match replay.end_key {
        Some(_) => replay,
        None => {
            host.accepting.settled(&replay.space).await;
            let Some(begun) = host.store.begin_replay(&replay, host.clock.now()).await? else { return Ok(()) };
            begun
        }
    };
    let spare = match host.quotas.spare_deliveries(&replay.space, host.clock.now()) {
        Ok(spare) => usize::try_from(spare).unwrap_or(usize::MAX),
        Err(wait_s) => {
            let reason = "half of the space's quota of deliveries is used up; the rest is left to its events";
            return wait(host, &replay, SignedDuration::from_secs(wait_s.into()), reason).await;
        }
    };
    let filter = Filter::new(&replay, &compiled.subscription);
    let slice = host.store.replay_slice(&replay, filter.examined_max(), host.clock.now(), BACKLOG_MAX).await?;
    if slice.backlog >= BACKLOG_MAX {
        return wait(host, &replay, BACKLOG_WAIT, "too many deliveries of the subscription are due").await;
    }
    let at_once = host.commits.at_once(SEND_MAX, host.clock.now());
    let most = spare.min(replay.deliveries_per_s as usize).min(at_once);
    let mut chosen = Chosen { keys: Vec::new(), examined: 0, reached_at: None, next: slice.next };
    match filter.choose(host, slice.entries, most, &mut chosen).await {
        Ok(()) => commit(host, &replay, chosen).await,
        Err(err) => {
            let reason = format!("the condition cannot be evaluated: {err}");
            host.store.end_replay(replay.id, ReplayState::Failed, Some(&reason), host.clock.now()).await
        }
    }
}

async fn wait(host: &Host, replay: &Replay, wait: SignedDuration, reason: &str) -> Result<(), StoreError> {
    let now = host.clock.now();
    host.store.delay_replay(replay.id, after(now, wait), reason, now).await
}

async fn commit(host: &Host, replay: &Replay, chosen: Chosen) -> Result<(), StoreError> {
    let now = host.clock.now();
    let due = |index: usize| after(now, interval(replay.deliveries_per_s, index));
    // Now, not when the slice was read: it may have taken long.
    let send: Vec<_> = chosen.keys.iter().enumerate().map(|(index, key)| (*key, due(index))).collect();
    let step = ReplayStep {
        id: replay.id,
        from: replay.cursor,
        to: chosen.next,
        examined: chosen.examined,
        reached_at: chosen.reached_at,
        next_at: due(send.len()),
        send,
        now,
    };
    let sent = {
        let _turn = host.commits.turn(&replay.space, step.send.len(), now).await;
        host.store.step_replay(step).await?
    };
    if sent > 0 {
        host.quotas.count(&replay.space, 0, sent, now);
        host.inbox.alarm().due(now);
    }
    Ok(())
}

/// Returns the time in which so many deliveries are made.
fn interval(per_s: u32, deliveries: usize) -> SignedDuration {
    let us = 1_000_000 * deliveries as u64 / u64::from(per_s.max(1));
    SignedDuration::from_micros(i64::try_from(us).unwrap_or(i64::MAX))
}

/// What a step sends of its slice.
struct Chosen {
    keys: Vec<i64>,
    examined: u64,
    reached_at: Option<Timestamp>,
    /// The key to continue with.
    next: i64,
}

/// What a replay sends of what it examines.
struct Filter<'a> {
    replay: &'a Replay,
    /// The trigger and the condition, if there is any.
    judge: Option<Arc<CompiledSubscription>>,
}

impl<'a> Filter<'a> {
    fn new(replay: &'a Replay, subscription: &Subscription) -> Self {
        let trigger = match replay.what {
            ReplayWhat::Events => subscription.trigger.clone(),
            // It fired when they were made.
            ReplayWhat::Failed => None,
        };
        let condition = replay.condition.clone();
        let judge = (trigger.is_some() || condition.is_some())
            .then(|| Arc::new(CompiledSubscription::new(Subscription { trigger, condition, ..subscription.clone() })));
        Self { replay, judge }
    }

    fn examined_max(&self) -> usize {
        if self.judge.is_some() { JUDGED_MAX } else { EXAMINED_MAX }
    }

    /// Examines entries until there are `most` to send.
    async fn choose(
        &self,
        host: &Host,
        entries: Vec<ReplayEntry>,
        most: usize,
        chosen: &mut Chosen,
    ) -> Result<(), ConditionError> {
        let mut allowance = Allowance::default();
        for ReplayEntry { key, event } in entries {
            if chosen.keys.len() == most {
                chosen.next = key;
                break;
            }
            chosen.examined += 1;
            chosen.reached_at = Some(event.accepted_at);
            if !self.replay.event_types.as_ref().is_none_or(|types| matching::selects(types, &event.kind)) {
                continue;
            }
            let verdict = match &self.judge {
                Some(compiled) => host.registry.decide(compiled, &event, &mut allowance).await,
                None => Verdict::Wanted,
            };
            match verdict {
                Verdict::Wanted => chosen.keys.push(key),
                Verdict::ConditionFailed(err @ ConditionError::Invalid(_)) => return Err(err),
                _ => {}
            }
        }
        Ok(())
    }
}
