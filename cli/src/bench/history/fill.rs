//! Fills a store with history, through the operations that a host uses.
//!
//! Four spaces, of which the first has most of it, with ten subscriptions and ten types each. Of 1,000 deliveries, 974 are
//! delivered at once, 10 at the second attempt, 10 fail in ten ways, 5 are skipped, and 1 waits.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use hookmill_model::{
    Answer, Attempt, Delivery, DeliveryId, DeliveryState, Event, EventId, EventType, FieldPath, Figures, Outcome,
    Pattern, PausePolicy, PluginFault, PluginFaultCode, Quotas, Retention, SendFault, SendFaultCode, SentRequest,
    Space, SpaceId, Subscription, SubscriptionId,
};
use hookmill_store::{Identity, IndexedValue, NewDelivery, NewEvent, Record, Sqlite, Store};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

/// Events per write.
const BATCH: u64 = 1_000;

/// The time over which the history is spread, until now.
const DAYS: i64 = 30;

/// The long time: until a delivery that waits is due, and until leases expire.
const LONG: SignedDuration = SignedDuration::from_hours(24 * 365);

/// Of so many deliveries, one is of the rare type.
const RARE: u64 = 100_000;

/// Events with one value of `deal.id`, in the order in which they are spread over the whole history.
const OF_A_DEAL: u64 = 20;

const TYPES: [&str; 10] = [
    "deal.created",
    "deal.updated",
    "deal.won",
    "deal.lost",
    "lead.created",
    "lead.updated",
    "contact.created",
    "contact.updated",
    "task.done",
    "note.added",
];

/// What was filled in, for the searches.
pub(super) struct History {
    pub(super) space: SpaceId,
    pub(super) subscription: SubscriptionId,
    pub(super) begin: Timestamp,
    pub(super) end: Timestamp,
    /// An event in the middle, with its id from its producer, and its delivery.
    pub(super) middle: (EventId, DeliveryId),
    /// A value of `deal.id` that some events have.
    pub(super) deal: String,
}

struct Tenant {
    space: SpaceId,
    subscriptions: Vec<SubscriptionId>,
}

/// Fills a store with this many deliveries; passes how many there are so far to `progress`.
pub(super) async fn fill(store: &Sqlite, total: u64, progress: impl Fn(u64)) -> anyhow::Result<History> {
    let end = Timestamp::now();
    let begin = end.checked_sub(SignedDuration::from_hours(24 * DAYS))?;
    let mut tenants = Vec::new();
    for number in 0..4 {
        tenants.push(tenant(store, number, begin).await?);
    }
    let filling = Filling { store, tenants, begin, step: (end.duration_since(begin)) / i32::try_from(total)?, total };
    let mut middle = None;
    let mut batch = Vec::new();
    for first in (0..total).step_by(usize::try_from(BATCH)?) {
        let events = (first..total.min(first + BATCH))
            .map(|number| filling.event(number))
            .collect::<anyhow::Result<Vec<_>>>()?;
        if first <= total / 2 {
            middle = events
                .iter()
                .rfind(|new| new.event.space == filling.tenants[0].space && !is_of_host(new))
                .cloned()
                .or(middle);
        }
        // The results of one batch are committed with the next batch, as a busy host does it.
        let (accepted, recorded) =
            tokio::join!(store.accept(events.clone()), filling.record(std::mem::take(&mut batch)));
        accepted?;
        recorded?;
        batch = events.into_iter().enumerate().map(|(index, event)| (first + index as u64, event)).collect();
        progress(first);
    }
    filling.record(batch).await?;
    let middle = middle.context("there are too few deliveries to search")?;
    let Tenant { space, subscriptions } = &filling.tenants[0];
    Ok(History {
        space: space.clone(),
        subscription: subscriptions[3],
        begin,
        end,
        deal: filling.deal(total / 2),
        middle: (middle.event.id.clone(), middle.deliveries[0].id),
    })
}

fn is_of_host(new: &NewEvent) -> bool {
    matches!(new.identity, Identity::Host { .. })
}

async fn tenant(store: &Sqlite, number: usize, now: Timestamp) -> anyhow::Result<Tenant> {
    let space = SpaceId::parse(&format!("space-{number}"))?;
    let created = Space {
        id: space.clone(),
        name: space.to_string(),
        administrators: Vec::new(),
        plugin_keys: Vec::new(),
        indexed_paths: vec![FieldPath::parse("deal.id")?, FieldPath::parse("deal.stage")?],
        quotas: Quotas::default(),
        retention: Retention::default(),
        created_at: now,
    };
    store.create_space(created).await?;
    let mut subscriptions = Vec::new();
    for number in 0..10 {
        let url = format!("https://hooks.example.com/{number}").parse()?;
        let subscription = Subscription::new(space.clone(), "history", url, vec![Pattern::All], now);
        store.put_subscription(&subscription, now).await?;
        subscriptions.push(subscription.id);
    }
    Ok(Tenant { space, subscriptions })
}

struct Filling<'a> {
    store: &'a Sqlite,
    tenants: Vec<Tenant>,
    begin: Timestamp,
    step: SignedDuration,
    total: u64,
}

impl Filling<'_> {
    fn deal(&self, number: u64) -> String {
        format!("deal-{}", number % (self.total / OF_A_DEAL).max(1))
    }

    /// Makes the event with this number and its delivery. One in 16 has an id of its producer.
    fn event(&self, number: u64) -> anyhow::Result<NewEvent> {
        let at = self.begin.checked_add(self.step * i32::try_from(number)?)?;
        let at = Timestamp::from_microsecond(at.as_microsecond())?;
        // Spread, so that no two properties of a delivery go together.
        let chance = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let tenant = &self.tenants[if chance % 10 < 7 { 0 } else { (chance % 3 + 1) as usize }];
        let subscription_id = tenant.subscriptions[(chance / 10 % 10) as usize];
        let kind = if number % RARE == RARE / 3 { "audit.exported" } else { TYPES[(chance / 100 % 10) as usize] };
        let stage = ["new", "won", "lost"][(chance / 1_000 % 3) as usize];
        let deal = self.deal(number);
        let data = format!(
            "{{\"deal\":{{\"id\":\"{deal}\",\"stage\":\"{stage}\",\"value\":1250.50,\"currency\":\"EUR\"}},\
             \"owner\":{{\"name\":\"Ada Lovelace\",\"email\":\"ada@example.com\"}}}}"
        );
        let key = self.store.take_keys(2);
        let (id, identity) = if number.is_multiple_of(16) {
            (EventId::parse(&format!("crm-{number}"))?, Identity::Producer { content_sha256: [0; 32] })
        } else {
            (EventId::with_key(at, key), Identity::Host { key })
        };
        let value = |path, value: &str| {
            Ok::<_, anyhow::Error>(IndexedValue { path: FieldPath::parse(path)?, value: value.to_owned() })
        };
        let values = vec![value("deal.id", &deal)?, value("deal.stage", stage)?];
        let event = Event {
            space: tenant.space.clone(),
            id,
            kind: EventType::parse(kind)?,
            occurred_at: at,
            accepted_at: at,
            data: RawValue::from_string(data)?.into(),
            changed_fields: None,
            previous: None,
        };
        let leased_until = Some(Timestamp::now().checked_add(LONG)?);
        let id = DeliveryId::with_key(at, key + 1);
        let delivery = NewDelivery { id, subscription_id, due_at: at, leased_until, batch: None, test: false };
        Ok(NewEvent { event: Arc::new(event), identity, deliveries: vec![delivery], values })
    }

    /// Records the result of each delivery; sends again what is retried.
    async fn record(&self, batch: Vec<(u64, NewEvent)>) -> anyhow::Result<()> {
        let Some(last) = batch.last().map(|(_, new)| new.event.accepted_at) else { return Ok(()) };
        let mut retried = Vec::new();
        let records = batch.iter().map(|(number, new)| {
            let record = first_result(*number, new);
            if record.state == DeliveryState::Pending && record.due_at <= last + RETRY_AFTER {
                retried.push((record.subscription_id, 1_000));
            }
            record
        });
        self.store.record(records.collect::<Vec<_>>().into()).await?;
        retried.sort_unstable_by_key(|(id, _)| id.to_string());
        retried.dedup();
        let due = last + RETRY_AFTER;
        let again = self.store.lease_due(due, due.checked_add(LONG)?, retried, usize::MAX).await?;
        self.store.record(again.iter().map(|delivery| second_result(delivery, due)).collect::<Vec<_>>().into()).await?;
        Ok(())
    }
}

/// The time after which an attempt is repeated.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The result of the first attempt of the delivery with this number.
fn first_result(number: u64, new: &NewEvent) -> Record {
    let at = new.event.accepted_at + Duration::from_millis(200);
    let (outcome, state, due_at, reason) = match number % 1_000 {
        7 | 107 | 207 | 307 | 407 | 507 | 607 | 707 | 807 | 907 => {
            let (outcome, reason) = failure(number % 1_000 / 100, number);
            (outcome, DeliveryState::Failed, at, Some(reason))
        }
        number if number % 100 == 11 => {
            (rejected(503), DeliveryState::Pending, at + RETRY_AFTER / 2, Some("the receiver answered 503".to_owned()))
        }
        number if number % 200 == 13 => {
            let reason = "the deal has no invoice".to_owned();
            (Outcome::Skipped(reason.clone()), DeliveryState::Skipped, at, Some(reason))
        }
        999 => {
            let due_at = at + Duration::from_secs(365 * 24 * 3_600);
            (rejected(429), DeliveryState::Pending, due_at, Some("the receiver answered 429".to_owned()))
        }
        _ => (Outcome::Succeeded(answer(204)), DeliveryState::Delivered, at, None),
    };
    let (delivery, data) = (&new.deliveries[0], new.event.data.get());
    let attempt = attempt(delivery.id, 1, delivery.due_at, outcome, data);
    Record {
        delivery_id: delivery.id,
        subscription_id: delivery.subscription_id,
        leased_until: delivery.leased_until.unwrap_or(at),
        attempt: Some(attempt),
        state,
        due_at,
        at,
        reason,
        pinned: None,
        pause_policy: PausePolicy::default(),
        current_plugin: false,
        test: false,
    }
}

/// A success at the second attempt.
fn second_result(delivery: &Delivery, at: Timestamp) -> Record {
    let outcome = Outcome::Succeeded(answer(200));
    Record {
        delivery_id: delivery.id,
        subscription_id: delivery.subscription_id,
        leased_until: delivery.leased_until.unwrap_or(at),
        attempt: Some(attempt(delivery.id, delivery.attempts + 1, at, outcome, delivery.event.data.get())),
        state: DeliveryState::Delivered,
        due_at: at,
        at,
        reason: None,
        pinned: None,
        pause_policy: PausePolicy::default(),
        current_plugin: false,
        test: false,
    }
}

/// Ways to fail, with the reason.
fn failure(way: u64, number: u64) -> (Outcome, String) {
    let status = |status: u16| (rejected(status), format!("the receiver answered {status}"));
    let unreachable =
        |code, message: String| (Outcome::Unreachable(SendFault { code, message: message.clone() }), message);
    match way {
        0 | 1 => status(500),
        2 => status(502),
        3 => status(503),
        4 => status(404),
        5 => status(410),
        6 => status(401),
        7 => unreachable(SendFaultCode::Connect, format!("hooks-{}.example.com refused the connection", number % 97)),
        8 => unreachable(SendFaultCode::Timeout, "no complete response within 15000 ms".to_owned()),
        _ => {
            let message = "the event has no field `email`".to_owned();
            let fault = PluginFault { code: PluginFaultCode::Failed, message: message.clone(), retry: false };
            (Outcome::PluginFailed(fault), message)
        }
    }
}

fn answer(status: u16) -> Answer {
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    Answer { status, headers, body: Bytes::from_static(b"ok"), truncated: false }
}

fn rejected(status: u16) -> Outcome {
    Outcome::Rejected(answer(status))
}

fn attempt(delivery_id: DeliveryId, number: u32, due_at: Timestamp, outcome: Outcome, data: &str) -> Attempt {
    let request = SentRequest {
        method: "POST".to_owned(),
        url: "https://hooks.example.com/1".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        signature_headers: 0,
        body: Bytes::copy_from_slice(data.as_bytes()),
        sealed: Vec::new(),
    };
    Attempt {
        delivery_id,
        number,
        due_at,
        started_at: due_at,
        send_us: 150_000,
        request: Some(request),
        outcome,
        plugin_digest: None,
        plugin_fault: None,
        figures: Figures::default(),
        logs: Vec::new(),
    }
}
