//! Ready-made values for tests of the pure stages.

use std::sync::Arc;

use hookmill_model::{Delivery, DeliveryId, DeliveryState, Event, EventId, EventType, Pattern, SpaceId, Subscription};
use jiff::Timestamp;
use serde_json::value::RawValue;

/// 2026-01-02T03:04:05Z, where every manual clock starts.
pub fn start() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// An active subscription of the space `acme` to everything, with the defaults of the API.
pub fn subscription(url: &str) -> Subscription {
    let space = SpaceId::parse("acme").unwrap();
    Subscription::new(space, "test", url.parse().unwrap(), vec![Pattern::All], start())
}

/// An event of the space `acme` that happened and was accepted at the start.
pub fn event(kind: &str, data: &str) -> Event {
    Event {
        space: SpaceId::parse("acme").unwrap(),
        id: EventId::parse("evt_1").unwrap(),
        kind: EventType::parse(kind).unwrap(),
        occurred_at: start(),
        accepted_at: start(),
        data: Arc::from(RawValue::from_string(data.to_owned()).unwrap()),
        changed_fields: None,
        previous: None,
    }
}

/// A delivery of this event that nobody has tried yet.
pub fn delivery(subscription: &Subscription, event: Event) -> Delivery {
    Delivery {
        id: DeliveryId::new(start()),
        subscription_id: subscription.id,
        event: event.into(),
        batched: 0,
        more: Vec::new(),
        test: false,
        verbatim: false,
        pinned: None,
        state: DeliveryState::Pending,
        attempts: 0,
        due_at: start(),
        leased_until: None,
        completed_at: None,
        reason: None,
    }
}
