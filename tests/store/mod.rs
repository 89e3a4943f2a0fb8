//! The store: what is confirmed is stored, exactly as it was given.

mod accepting;
mod appending;
mod counting;
mod erasing;
mod forgetting;
mod leasing;
mod listing;
mod migrating;
mod opening;
mod pinned;
mod recording;
mod replaying;
mod resources;
mod searching;
mod sharing;
mod values;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hookmill_model::{
    Answer, Attempt, Delivery, DeliveryId, DeliveryState, Event, EventId, EventType, Figures, Outcome, Pattern,
    PausePolicy, Space, SpaceId, Subscription, SubscriptionId,
};
use hookmill_store::{Identity, NewDelivery, NewEvent, Record, Sqlite, Store, StoreError};
use jiff::Timestamp;
use serde_json::value::RawValue;
use tempfile::TempDir;

/// A store with one space.
pub struct Kept {
    pub store: Arc<Sqlite>,
    pub space: SpaceId,
    pub dir: TempDir,
}

/// The tests' present.
pub fn now() -> Timestamp {
    "2026-11-21T12:00:00.123456Z".parse().unwrap()
}

pub fn after(seconds: u64) -> Timestamp {
    now() + Duration::from_secs(seconds)
}

impl Kept {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Sqlite::open(dir.path()).unwrap();
        let space = SpaceId::parse("acme").unwrap();
        let created = store.create_space(space_called(&space)).await.unwrap();
        assert!(created);
        Self { store: Arc::new(store), space, dir }
    }

    /// The same directory, opened again.
    pub fn reopened(self) -> Self {
        let Self { store, space, dir } = self;
        drop(Arc::into_inner(store).unwrap());
        let store = Arc::new(Sqlite::open(dir.path()).unwrap());
        Self { store, space, dir }
    }

    pub fn file(&self) -> PathBuf {
        self.dir.path().join("hookmill.db")
    }

    /// The file, opened next to the store as the sqlite3 shell would.
    pub fn beside(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).unwrap()
    }

    pub async fn subscription(&self) -> Subscription {
        let subscription = subscription(&self.space);
        self.store.put_subscription(&subscription, now()).await.unwrap();
        subscription
    }

    /// Accepts an event with one delivery that is due at `due_at`; returns its id.
    pub async fn delivery(&self, subscription: SubscriptionId, due_at: Timestamp) -> DeliveryId {
        let event = self.event("{}").to(subscription, due_at);
        let id = event.deliveries[0].id;
        self.store.accept(vec![event]).await.unwrap();
        id
    }

    pub fn event(&self, data: &str) -> NewEvent {
        event(&self.space, EventId::new(now()).as_str(), data)
    }

    pub async fn lease(&self, at: Timestamp) -> Vec<Delivery> {
        self.lease_up_to(100_000, at, at + Duration::from_secs(60)).await
    }

    /// Leases up to so many of each subscription.
    pub async fn lease_up_to(&self, limit: usize, at: Timestamp, until: Timestamp) -> Vec<Delivery> {
        let pending = self.store.pending().await.unwrap();
        let wanted = pending.into_iter().map(|(id, _)| (id, limit)).collect();
        self.store.lease_due(at, until, wanted, usize::MAX).await.unwrap()
    }

    /// When the next delivery is due, or the next lease expires.
    pub async fn next_due(&self) -> Option<Timestamp> {
        self.store.pending().await.unwrap().into_iter().map(|(_, at)| at).min()
    }

    pub async fn read(&self, id: DeliveryId) -> (Delivery, Vec<Attempt>) {
        self.store.delivery(&self.space, id).await.unwrap().unwrap()
    }

    pub async fn state(&self, id: DeliveryId) -> DeliveryState {
        self.read(id).await.0.state
    }
}

/// Adds deliveries to an event.
pub trait To {
    fn to(self, subscription: SubscriptionId, due_at: Timestamp) -> NewEvent;
}

impl To for NewEvent {
    fn to(mut self, subscription_id: SubscriptionId, due_at: Timestamp) -> NewEvent {
        let id = DeliveryId::new(self.event.accepted_at);
        self.deliveries.push(NewDelivery { id, subscription_id, due_at, leased_until: None, batch: None, test: false });
        self
    }
}

pub fn event(space: &SpaceId, id: &str, data: &str) -> NewEvent {
    event_at(space, id, data, now())
}

pub fn event_at(space: &SpaceId, id: &str, data: &str, accepted_at: Timestamp) -> NewEvent {
    let event = Event {
        space: space.clone(),
        id: EventId::parse(id).unwrap(),
        kind: EventType::parse("lead.create").unwrap(),
        occurred_at: now() - Duration::from_secs(5),
        accepted_at,
        data: RawValue::from_string(data.to_owned()).unwrap().into(),
        changed_fields: None,
        previous: None,
    };
    let identity = Identity::Producer { content_sha256: [1; 32] };
    NewEvent { event: Arc::new(event), identity, deliveries: vec![], values: vec![] }
}

pub fn space_called(id: &SpaceId) -> Space {
    Space {
        id: id.clone(),
        name: "Acme".to_owned(),
        administrators: Vec::new(),
        plugin_keys: Vec::new(),
        indexed_paths: Vec::new(),
        quotas: hookmill_model::Quotas::default(),
        retention: hookmill_model::Retention::default(),
        created_at: now(),
    }
}

pub fn subscription(space: &SpaceId) -> Subscription {
    Subscription::new(
        space.clone(),
        "CRM to Zapier",
        "https://example.com/hook".parse().unwrap(),
        vec![Pattern::All],
        now(),
    )
}

pub fn attempt(delivery_id: DeliveryId, number: u32, outcome: Outcome) -> Attempt {
    Attempt {
        delivery_id,
        number,
        due_at: now(),
        started_at: after(1),
        send_us: 1_500,
        request: None,
        outcome,
        plugin_digest: None,
        plugin_fault: None,
        figures: Figures { transform_us: 20, ..Figures::default() },
        logs: vec![],
    }
}

pub fn answered(status: u16) -> Answer {
    Answer { status, headers: vec![], body: Default::default(), truncated: false }
}

/// The record of a leased delivery's attempt, which leads to `state`.
pub fn record(leased: &Delivery, outcome: Option<Outcome>, state: DeliveryState) -> Record {
    Record {
        delivery_id: leased.id,
        subscription_id: leased.subscription_id,
        leased_until: leased.leased_until.unwrap(),
        attempt: outcome.map(|outcome| attempt(leased.id, leased.attempts + 1, outcome)),
        state,
        due_at: after(300),
        at: after(2),
        reason: Some("because".to_owned()),
        pinned: None,
        pause_policy: PausePolicy::default(),
        current_plugin: false,
        test: false,
    }
}

pub fn delivered(leased: &Delivery) -> Record {
    record(leased, Some(Outcome::Succeeded(answered(204))), DeliveryState::Delivered)
}

pub fn ids(deliveries: &[Delivery]) -> Vec<DeliveryId> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}

pub fn is_database<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Database(_)))
}
