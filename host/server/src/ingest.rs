//! Accepting events: the part behind the HTTP handlers.
//!
//! An event is matched here and committed with its deliveries in one transaction; the answer 202 is given after that
//! commit. A delivery that is due at once is claimed in the same transaction and handed to the loop through memory.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::host::Host;
use crate::queues::{Leased, Reservation};
use crate::registry::CompiledSubscription;
use crate::stages::delay;
use hookmill_model::{ContentType, Delivery, DeliveryId, DeliveryState, Event, EventId, EventType, SpaceId};
use hookmill_store::{Accepted, NewBatch, NewDelivery, NewEvent, StoreError};

/// An event as a producer posted it, parsed.
#[derive(Clone, Debug)]
pub struct IncomingEvent {
    /// Its id, if the producer gave one.
    pub id: Option<EventId>,
    /// Its type.
    pub kind: EventType,
    /// When it happened; now, if the producer did not say.
    pub occurred_at: Option<Timestamp>,
    /// Its data.
    pub data: Arc<RawValue>,
    /// The fields that changed, if the producer says so.
    pub changed_fields: Option<Vec<String>>,
    /// The data as it was before, if the producer tells.
    pub previous: Option<Arc<RawValue>>,
}

/// Whom events go to.
#[derive(Clone, Debug)]
pub enum Target {
    /// Every subscription that wants them.
    Matching,
    /// This one, whatever it wants and whatever its state: a test.
    Test(Arc<CompiledSubscription>),
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The event's id.
    pub id: EventId,
    /// When it happened, as it is kept.
    pub occurred_at: Timestamp,
    /// When it was accepted; if it is a repeat, the first time.
    pub accepted_at: Timestamp,
    /// How many deliveries it made.
    pub deliveries: u64,
}

/// An event of this id, but of other content, was accepted before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict(pub EventId);

/// Matches events and commits them, all in one transaction; answers in order.
///
/// # Errors
/// If the store fails: then nothing was accepted.
pub async fn accept(
    host: &Arc<Host>,
    space: SpaceId,
    posted: Vec<IncomingEvent>,
    target: Target,
) -> Result<Vec<Result<Receipt, Conflict>>, StoreError> {
    // In a task of its own: a caller that hangs up must not leave claimed deliveries behind that nobody works on.
    let host = host.clone();
    let task = tokio::spawn(async move { commit(&host, &space, posted, &target).await });
    task.await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}

async fn commit(
    host: &Host,
    space: &SpaceId,
    posted: Vec<IncomingEvent>,
    target: &Target,
) -> Result<Vec<Result<Receipt, Conflict>>, StoreError> {
    let now = host.clock.now();
    let (new, reservations): (Vec<_>, Vec<_>) =
        posted.into_iter().map(|posted| prepare(host, space, posted, target, now)).unzip();
    let accepted = host.store.accept(new.clone()).await?;
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

/// An event with its deliveries, and for each delivery the place in memory that it got.
fn prepare(
    host: &Host,
    space: &SpaceId,
    posted: IncomingEvent,
    target: &Target,
    now: Timestamp,
) -> (NewEvent, Vec<Option<Reservation>>) {
    let content_sha256 = content_sha256(&posted);
    let event = Arc::new(Event {
        space: space.clone(),
        id: posted.id.unwrap_or_else(|| EventId::new(now)),
        kind: posted.kind,
        occurred_at: posted.occurred_at.map_or(now, clock::whole_microseconds),
        accepted_at: now,
        data: posted.data,
        changed_fields: posted.changed_fields,
        previous: posted.previous,
    });
    let (wanting, test) = match target {
        Target::Matching => (host.registry.matching(&event), false),
        Target::Test(live) => (vec![live.clone()], true),
    };
    let deliveries = wanting.iter().map(|live| {
        let subscription = &live.subscription;
        let batch = subscription.batch.as_ref().filter(|batch| !test && batch.gathers(&event.kind));
        let closes_at = batch.map_or(now, |batch| delay::batch_end(now, batch.window_s));
        let due_at = delay::first(closes_at, subscription.delay_s);
        let reservation = if due_at <= now { host.inbox.reserve(event.data.get().len()) } else { None };
        let leased_until = reservation.as_ref().map(|_| host.lease_until(now));
        let due_if_full = delay::first(now, subscription.delay_s);
        let bytes_max = batch_bytes_max(subscription.content_type, host.config.plugin.output_bytes_max);
        let batch = batch.map(|batch| NewBatch { closes_at, max: batch.max, bytes_max, due_if_full });
        let (id, subscription_id) = (DeliveryId::new(now), subscription.id);
        (NewDelivery { id, subscription_id, due_at, leased_until, batch, test }, reservation)
    });
    let (deliveries, reservations) = deliveries.unzip();
    (NewEvent { event, content_sha256, deliveries }, reservations)
}

/// Data of one batch, so that its body keeps within its limit where each event alone would: a form can be six times as
/// large as its data, and a plugin adds a little of its own to JSON.
fn batch_bytes_max(content_type: ContentType, output_bytes_max: usize) -> usize {
    match content_type {
        ContentType::Form => output_bytes_max / 6,
        ContentType::Json | ContentType::Text => output_bytes_max / 3 * 2,
    }
}

/// What makes two posts of one id the same: type, data and, if the producer gave it, the time.
fn content_sha256(posted: &IncomingEvent) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(posted.kind.as_str());
    hash.update([0]);
    hash.update(posted.occurred_at.map_or(String::new(), |at| at.to_string()));
    hash.update([0]);
    hash.update(posted.data.get());
    // Only if they are there, so that events of earlier versions keep their hashes.
    for field in posted.changed_fields.iter().flatten() {
        hash.update([1]);
        hash.update(field);
    }
    if let Some(previous) = &posted.previous {
        hash.update([2]);
        hash.update(previous.get());
    }
    hash.finalize().into()
}

fn receipt(new: &NewEvent, accepted: &Accepted) -> Result<Receipt, Conflict> {
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
        Accepted::Conflict => Err(Conflict(id)),
    }
}

/// Committed deliveries go on from memory if they are claimed; of the others the loop learns when they are due.
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
