//! Matches: which subscriptions of a space an event matches as they are now, and why the others do not; and which of the
//! last events a subscription would match that does not exist yet.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hookmill_model::{
    DeliveryId, Event, EventId, Invalid, Pattern, SpaceId, Subscription, SubscriptionId, SubscriptionState, Trigger,
};
use hookmill_store::{DeliveryFilter, EventHead, ListPart};
use url::Url;

use super::reason::why;
use crate::error::Error;
use crate::host::Host;
use crate::registry::{Allowance, CompiledSubscription, Explained};
use crate::stages::matching::{self, SeenMember, Verdict};
use crate::subscriptions::{check, rules};

/// The most subscriptions that one part of a list looks at: each costs a step in an index.
const EXAMINED_MAX: usize = 500;

/// The number of recent events that are matched: those that a person who asks still remembers.
const LAST: usize = 20;

/// The most parts in which the last events are read, each of up to a mebibyte: of large events there are fewer.
const PARTS_MAX: usize = 4;

/// A subscription, and whether an event matches it as it is now.
#[derive(Clone, Debug)]
pub struct SubscriptionMatch {
    /// The subscription.
    pub compiled: Arc<CompiledSubscription>,
    /// The newest delivery of the event to it, if there is one.
    pub delivery_id: Option<DeliveryId>,
    /// The verdict on the event if the subscription were active.
    pub verdict: Verdict,
    /// Why the event does not match, for people; none if it does.
    pub detail: Option<String>,
    /// What its condition reads, if that was evaluated.
    pub seen: Vec<SeenMember>,
}

impl SubscriptionMatch {
    fn new(
        compiled: Arc<CompiledSubscription>,
        delivery_id: Option<DeliveryId>,
        event: &Event,
        why: Explained,
    ) -> Self {
        let subscription = &compiled.subscription;
        let detail = match (&why.verdict, subscription.state) {
            (Verdict::Wanted, SubscriptionState::Active) => None,
            (Verdict::Wanted, state) => {
                Some(format!("the subscription is {}: the event would match if it were active", state.as_str()))
            }
            (verdict, _) => Some(self::why(subscription, &event.kind, verdict)),
        };
        Self { delivery_id, detail, verdict: why.verdict, seen: why.seen, compiled }
    }

    /// Whether the event would match now.
    pub fn is_match(&self) -> bool {
        self.is_active() && self.verdict == Verdict::Wanted
    }

    /// Whether the subscription is active.
    pub fn is_active(&self) -> bool {
        self.compiled.subscription.state == SubscriptionState::Active
    }
}

/// Where the next part of a list of matches begins: those with a delivery come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchCursor {
    /// After this delivery.
    Delivery(DeliveryId),
    /// After this subscription, among those without a delivery; none for the first.
    Subscription(Option<SubscriptionId>),
}

impl fmt::Display for MatchCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivery(id) => id.fmt(f),
            Self::Subscription(Some(id)) => id.fmt(f),
            Self::Subscription(None) => f.write_str("sub_"),
        }
    }
}

impl FromStr for MatchCursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let delivery = text.parse().map(Self::Delivery);
        let subscription = || text.parse().map(|id| Self::Subscription(Some(id)));
        match text {
            "sub_" => Ok(Self::Subscription(None)),
            _ => delivery.or_else(|_| subscription()).map_err(|_| Invalid::new("expected a cursor")),
        }
    }
}

/// A subscription to explain: with its delivery, and where the list goes on after it.
type Listed = (Arc<CompiledSubscription>, Option<DeliveryId>, MatchCursor);

/// Returns for up to `limit` subscriptions whether an event matches them: first those with a delivery of it, newest first,
/// and then the others, oldest first. A part ends early where evaluating conditions would take long.
///
/// # Errors
/// If the event does not exist, or the store fails.
pub async fn matches(
    host: &Host,
    space: &SpaceId,
    id: &EventId,
    cursor: Option<MatchCursor>,
    limit: usize,
) -> Result<ListPart<SubscriptionMatch, MatchCursor>, Error> {
    let found = host.store.event(space, id).await?;
    let event = Arc::new(found.ok_or_else(|| Error::not_found("event", id))?.0);
    let mut listed = Vec::new();
    let mut next = match cursor {
        Some(MatchCursor::Subscription(after)) => Some(MatchCursor::Subscription(after)),
        Some(MatchCursor::Delivery(before)) => delivered(host, &event, Some(before), limit, &mut listed).await?,
        None => delivered(host, &event, None, limit, &mut listed).await?,
    };
    if let Some(MatchCursor::Subscription(after)) = next
        && listed.len() < limit
    {
        next = others(host, &event, after, limit, &mut listed).await?;
    }
    let compiled = listed.iter().map(|(compiled, ..)| compiled.clone()).collect();
    let explained = host.registry.explain(compiled, &event).await;
    if let Some((.., after)) = explained.len().checked_sub(1).map(|last| &listed[last])
        && explained.len() < listed.len()
    {
        next = Some(*after);
    }
    let entries = listed.into_iter().zip(explained);
    let entries =
        entries.map(|((compiled, delivery, _), why)| SubscriptionMatch::new(compiled, delivery, &event, why)).collect();
    Ok(ListPart { entries, next })
}

/// Lists the subscriptions of an event's deliveries, each once: with the newest. Returns where the list goes on.
async fn delivered(
    host: &Host,
    event: &Event,
    before: Option<DeliveryId>,
    limit: usize,
    listed: &mut Vec<Listed>,
) -> Result<Option<MatchCursor>, Error> {
    let filter = DeliveryFilter { event: Some(event.id.clone()), before, ..DeliveryFilter::default() };
    let part = host.store.deliveries(&event.space, filter, limit).await?;
    let ids = part.entries.iter().map(|delivery| delivery.subscription_id).collect();
    let newest = host.store.deliveries_to(&event.space, &event.id, ids).await?;
    for (delivery, newest) in part.entries.iter().zip(newest) {
        // None of a subscription that was deleted since.
        if newest == Some(delivery.id)
            && let Some(compiled) = host.registry.get(delivery.subscription_id)
        {
            listed.push((compiled, Some(delivery.id), MatchCursor::Delivery(delivery.id)));
        }
    }
    Ok(Some(part.next.map_or(MatchCursor::Subscription(None), MatchCursor::Delivery)))
}

/// Lists the subscriptions without a delivery of an event. Returns where the list goes on.
async fn others(
    host: &Host,
    event: &Event,
    after: Option<SubscriptionId>,
    limit: usize,
    listed: &mut Vec<Listed>,
) -> Result<Option<MatchCursor>, Error> {
    let page = host.registry.of_space(&event.space, after, EXAMINED_MAX);
    let ids = page.iter().map(|compiled| compiled.subscription.id).collect();
    let deliveries = host.store.deliveries_to(&event.space, &event.id, ids).await?;
    let is_full = page.len() == EXAMINED_MAX;
    let mut last = after;
    for (compiled, delivery) in page.into_iter().zip(deliveries) {
        if listed.len() == limit {
            return Ok(Some(MatchCursor::Subscription(last)));
        }
        last = Some(compiled.subscription.id);
        if delivery.is_none() {
            listed.push((compiled, None, MatchCursor::Subscription(last)));
        }
    }
    Ok(is_full.then_some(MatchCursor::Subscription(last)))
}

/// The part of a subscription that decides which events it matches.
#[derive(Clone, Debug, Default)]
pub struct MatchRule {
    /// The types of events; none for no types.
    pub event_types: Option<Vec<Pattern>>,
    /// The change that an event must report.
    pub trigger: Option<Trigger>,
    /// The CEL expression that must be true.
    pub condition: Option<String>,
}

/// A recent event, and whether a rule matches it.
#[derive(Clone, Debug)]
pub struct EventMatch {
    /// The event.
    pub event: EventHead,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it does not match, for people; none if it does.
    pub detail: Option<String>,
}

/// Returns for the last 20 events of a space, newest first, whether a rule matches them; for fewer if they are large.
///
/// # Errors
/// If a member of the rule is wrong, as for a subscription that is saved, or the store fails.
pub async fn last_events(host: &Host, space: &SpaceId, rule: MatchRule) -> Result<Vec<EventMatch>, Error> {
    let event_types = check::event_types(rule.event_types, true)?;
    let trigger = rules::trigger(rule.trigger)?;
    let condition = check::condition(space, rule.condition).await?;
    let url = Url::parse("https://example.com").expect("it is a URL");
    let subscription = Subscription::new(space.clone(), "", url, event_types, host.clock.now());
    let compiled = Arc::new(CompiledSubscription::new(Subscription { trigger, condition, ..subscription }));
    let (mut found, mut before) = (Vec::new(), None);
    let mut allowance = Allowance::default();
    for _ in 0..PARTS_MAX {
        let part = host.store.events(space, before, LAST - found.len()).await?;
        for event in part.entries {
            let event = Arc::new(event);
            let verdict = if matching::selects(&compiled.subscription.event_types, &event.kind) {
                host.registry.decide(&compiled, &event, &mut allowance).await
            } else {
                Verdict::OtherType
            };
            let detail = (verdict != Verdict::Wanted).then(|| why(&compiled.subscription, &event.kind, &verdict));
            found.push(EventMatch { event: head(&event), verdict, detail });
        }
        before = part.next;
        if before.is_none() || found.len() == LAST {
            break;
        }
    }
    Ok(found)
}

fn head(event: &Event) -> EventHead {
    let Event { id, kind, occurred_at, accepted_at, .. } = event;
    EventHead { id: id.clone(), kind: kind.clone(), occurred_at: *occurred_at, accepted_at: *accepted_at }
}
