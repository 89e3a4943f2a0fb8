//! Accepting events: the part behind the HTTP handlers.
//!
//! An event is matched here and committed with its deliveries in one transaction; the response 202 follows that commit.
//! Many events of one request are committed in slices, each in its space's turn ([`Commits`](crate::queues::Commits)): so
//! another's event waits for a slice, however many there are. If the store fails in between, the slices before are
//! committed; the caller gets an error and posts all again, which has no effect on events that have their ids.
//!
//! A delivery that is due at once is leased in the same transaction and passed to the deliver loop through memory.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::host::Host;
use crate::queues::{Leased, Reservation, commits};
use crate::registry::{Allowance, CompiledSubscription, Exhausted, Matched};
use crate::stages::delay;
use crate::task::{QUICK_BYTES, long_in_turn};
use crate::values::values;
use hookmill_model::{
    ContentType, Delivery, DeliveryId, DeliveryState, Event, EventId, EventType, Pause, PauseReason, SpaceId,
    Subscription,
};
use hookmill_store::{Accepted, Identity, NewBatch, NewDelivery, NewEvent, StoreError};

/// An event as a producer posted it, parsed.
#[derive(Clone, Debug)]
pub struct IncomingEvent {
    /// Its id, if the producer set one.
    pub id: Option<EventId>,
    /// Its type.
    pub kind: EventType,
    /// When it happened; now if not given.
    pub occurred_at: Option<Timestamp>,
    /// Its data.
    pub data: Arc<RawValue>,
    /// The fields that changed, if given.
    pub changed_fields: Option<Vec<String>>,
    /// The previous data, if given.
    pub previous: Option<Arc<RawValue>>,
}

/// The subscriptions that events go to.
#[derive(Clone, Debug)]
pub enum Target {
    /// Every subscription that matches.
    Matching,
    /// This one, whatever its event types and state: a test event.
    Test(Arc<CompiledSubscription>),
}

/// The receipt of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The event's id.
    pub id: EventId,
    /// When it happened, as stored.
    pub occurred_at: Timestamp,
    /// When it was accepted; for a repeat, the first time.
    pub accepted_at: Timestamp,
    /// The number of its deliveries.
    pub deliveries: u64,
}

/// Why an event was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// An event with this id but other content was accepted before.
    Conflict(EventId),
    /// The request's events before this one have as many deliveries as one request may have.
    TooManyDeliveries,
}

/// Matches events and commits each with its deliveries in one transaction. Returns the results in order.
///
/// # Errors
/// If the store fails; some of several events may be accepted then, always the first ones.
pub async fn accept(
    host: &Arc<Host>,
    space: SpaceId,
    incoming: Vec<IncomingEvent>,
    target: Target,
) -> Result<Vec<Result<Receipt, NotAccepted>>, StoreError> {
    // In its own task: a caller that disconnects must not leave leased deliveries behind that no loop works on.
    let host = host.clone();
    let task = tokio::spawn(async move { commit_all(&host, &space, incoming, &target).await });
    task.await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}

/// Events that are committed together, with the reservations of their deliveries.
#[derive(Default)]
struct Slice {
    new: Vec<NewEvent>,
    reservations: Vec<Vec<Option<Reservation>>>,
    /// Rows to write, about: the deliveries, the events that have none, and large data.
    rows: usize,
}

async fn commit_all(
    host: &Host,
    space: &SpaceId,
    incoming: Vec<IncomingEvent>,
    target: &Target,
) -> Result<Vec<Result<Receipt, NotAccepted>>, StoreError> {
    let limits = &host.config.accept;
    let _accepting = host.accepting.begin(space);
    let (count, mut deliveries) = (incoming.len(), 0);
    let mut results = Vec::with_capacity(count);
    let (mut slice, mut now) = (Slice::default(), host.clock.now());
    let indexed = host.indexed.of(space);
    let (mut allowance, mut exhausted) = (Allowance::default(), Vec::new());
    for incoming in incoming {
        let (event, matching) = matched(host, space, incoming, target, now, &mut allowance).await;
        host.metrics.conditions_over_limits(matching.over_limits);
        exhausted.extend(matching.exhausted);
        let (mut new, reservations) = prepare(host, event, &matching.wanted, target, now);
        if let Some(paths) = &indexed {
            new.values = values(paths, &new.event.data);
        }
        let made = new.deliveries.len();
        // The first event is accepted, however many subscriptions match it: it cannot be divided.
        if deliveries > 0 && deliveries + made > limits.batch_deliveries_max {
            break;
        }
        deliveries += made;
        let previous = new.event.previous.as_ref().map_or(0, |previous| previous.get().len());
        let rows = commits::rows(made.max(1), new.event.data.get().len() + previous);
        if slice.rows > 0 && slice.rows + rows > host.commits.deliveries_at_once(now) {
            results.extend(commit(host, space, std::mem::take(&mut slice)).await?);
            now = host.clock.now();
        }
        slice.rows += rows;
        slice.new.push(new);
        slice.reservations.push(reservations);
    }
    results.extend(commit(host, space, slice).await?);
    if let Err(err) = pause(host, exhausted, now).await {
        // The events are accepted, and a next one counts again.
        tracing::error!(error = &err as &dyn std::error::Error, "pausing subscriptions failed");
    }
    results.resize(count, Err(NotAccepted::TooManyDeliveries));
    Ok(results)
}

/// Commits a slice in its space's turn.
async fn commit(host: &Host, space: &SpaceId, slice: Slice) -> Result<Vec<Result<Receipt, NotAccepted>>, StoreError> {
    let Slice { new, reservations, rows } = slice;
    let accepted = {
        let _turn = host.commits.turn(space, rows, host.clock.now()).await;
        host.store.accept(new.clone()).await?
    };
    let mut leased = Vec::new();
    let mut receipts = Vec::with_capacity(new.len());
    for ((new, reservations), accepted) in new.into_iter().zip(reservations).zip(accepted) {
        host.metrics.event_accepted(&accepted);
        receipts.push(receipt(&new, &accepted));
        if let Accepted::New { filled } = accepted {
            filled.into_iter().for_each(|due_at| host.inbox.alarm().due(due_at));
            hand_over(host, new, reservations, &mut leased);
        }
    }
    host.inbox.push(leased);
    Ok(receipts)
}

/// Returns an event, with where its id comes from, and the subscriptions that it goes to.
async fn matched(
    host: &Host,
    space: &SpaceId,
    incoming: IncomingEvent,
    target: &Target,
    now: Timestamp,
    allowance: &mut Allowance,
) -> ((Arc<Event>, Identity), Matched) {
    let (id, identity) = match &incoming.id {
        Some(id) => {
            let content_sha256 = if incoming.data.get().len() > QUICK_BYTES {
                let incoming = incoming.clone();
                long_in_turn(space, move || content_sha256(&incoming)).await
            } else {
                content_sha256(&incoming)
            };
            (id.clone(), Identity::Producer { content_sha256 })
        }
        None => {
            let key = host.store.take_keys(1);
            (EventId::with_key(now, key), Identity::Host { key })
        }
    };
    let event = Arc::new(Event {
        space: space.clone(),
        id,
        kind: incoming.kind,
        occurred_at: incoming.occurred_at.map_or(now, clock::whole_microseconds),
        accepted_at: now,
        data: incoming.data,
        changed_fields: incoming.changed_fields,
        previous: incoming.previous,
    });
    let matched = match target {
        Target::Matching => host.registry.matching(&event, allowance).await,
        Target::Test(compiled) => Matched { wanted: vec![compiled.clone()], ..Matched::default() },
    };
    ((event, identity), matched)
}

/// Returns an event with its deliveries, and for each delivery its reservation in memory, if any.
fn prepare(
    host: &Host,
    (event, identity): (Arc<Event>, Identity),
    wanted: &[Arc<CompiledSubscription>],
    target: &Target,
    now: Timestamp,
) -> (NewEvent, Vec<Option<Reservation>>) {
    let test = matches!(target, Target::Test(_));
    let first_key = host.store.take_keys(wanted.len());
    let deliveries = (first_key..).zip(wanted).map(|(key, compiled)| {
        let subscription = &compiled.subscription;
        let batch = subscription.batch.as_ref().filter(|batch| !test && batch.includes(&event.kind));
        let closes_at = batch.map_or(now, |batch| delay::batch_end(now, batch.window_s));
        let due_at = delay::first(closes_at, subscription.delay_s);
        let reservation = if due_at <= now {
            host.inbox.reserve(&event.space, subscription.id, event.data.get().len())
        } else {
            None
        };
        let leased_until = reservation.as_ref().map(|_| host.lease_until(now));
        let due_if_full = delay::first(now, subscription.delay_s);
        let bytes_max = batch_bytes_max(subscription.content_type, host.config.plugin.output_bytes_max);
        let batch = batch.map(|batch| NewBatch { closes_at, max: batch.max, bytes_max, due_if_full });
        let (id, subscription_id) = (DeliveryId::with_key(now, key), subscription.id);
        (NewDelivery { id, subscription_id, due_at, leased_until, batch, test }, reservation)
    });
    let (deliveries, reservations) = deliveries.unzip();
    (NewEvent { event, identity, deliveries, values: Vec::new() }, reservations)
}

/// Pauses the subscriptions whose conditions could not be evaluated too many times in a row.
async fn pause(host: &Host, exhausted: Vec<Exhausted>, now: Timestamp) -> Result<(), StoreError> {
    for Exhausted { compiled, detail } in exhausted {
        let Subscription { space, id, .. } = &compiled.subscription;
        let changing = host.registry.changing().await;
        // Changed since, or paused already.
        let is_current = host.registry.get(*id).is_some_and(|current| Arc::ptr_eq(&current, &compiled));
        let pause = Pause { reason: PauseReason::Condition, detail };
        if is_current && host.store.pause(*id, &pause, now).await? {
            tracing::warn!(subscription.id = %id, subscription.pause_detail = pause.detail, "subscription paused");
            changing.reload(space, *id).await?;
            host.notices.arose(now);
        }
    }
    Ok(())
}

/// Returns the most data of one batch, so that its body stays within the limit if each event alone does: a form can be
/// six times as large as its data, and a plugin adds a little to JSON.
fn batch_bytes_max(content_type: ContentType, output_bytes_max: usize) -> usize {
    match content_type {
        ContentType::Form => output_bytes_max / 6,
        ContentType::Json | ContentType::Text => output_bytes_max / 3 * 2,
    }
}

/// Hashes what makes two posts with one id the same: type, data and, if given, the time, changed fields and previous data.
fn content_sha256(incoming: &IncomingEvent) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(incoming.kind.as_str());
    hash.update([0]);
    hash.update(incoming.occurred_at.map_or(String::new(), |at| at.to_string()));
    hash.update([0]);
    hash.update(incoming.data.get());
    // Only if present, so that events of earlier versions keep their hashes.
    for field in incoming.changed_fields.iter().flatten() {
        hash.update([1]);
        hash.update(field);
    }
    if let Some(previous) = &incoming.previous {
        hash.update([2]);
        hash.update(previous.get());
    }
    hash.finalize().into()
}

fn receipt(new: &NewEvent, accepted: &Accepted) -> Result<Receipt, NotAccepted> {
    let id = new.event.id.clone();
    match *accepted {
        Accepted::New { .. } => Ok(Receipt {
            id,
            occurred_at: new.event.occurred_at,
            accepted_at: new.event.accepted_at,
            deliveries: new.deliveries.len() as u64,
        }),
        Accepted::Repeat { occurred_at, accepted_at, deliveries } => {
            Ok(Receipt { id, occurred_at, accepted_at, deliveries })
        }
        Accepted::Conflict => Err(NotAccepted::Conflict(id)),
    }
}

/// Passes leased deliveries on through memory; for the others, sets the alarm to their due time.
fn hand_over(host: &Host, new: NewEvent, reservations: Vec<Option<Reservation>>, leased: &mut Vec<Leased>) {
    for (delivery, reservation) in new.deliveries.into_iter().zip(reservations) {
        let Some(reservation) = reservation else {
            host.inbox.alarm().due(delivery.due_at);
            continue;
        };
        let delivery = Delivery {
            id: delivery.id,
            subscription_id: delivery.subscription_id,
            event: new.event.clone(),
            // A batch is never due at once.
            batched: 0,
            more: Vec::new(),
            test: delivery.test,
            verbatim: false,
            pinned: None,
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: delivery.due_at,
            leased_until: delivery.leased_until,
            completed_at: None,
            reason: None,
        };
        leased.push(Leased { delivery, reservation });
    }
}
