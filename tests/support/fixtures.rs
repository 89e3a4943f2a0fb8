//! Ready-made values for tests of the pure stages.

use std::sync::Arc;

use hookmill::model::{
    ContentType, Event, EventId, EventType, FieldSelection, Method, Pattern, RetryPolicy, Secret, SpaceId,
    Subscription, SubscriptionId, SubscriptionState, SuccessCodes,
};
use jiff::Timestamp;
use serde_json::value::RawValue;

/// 2026-01-02T03:04:05Z, where every manual clock starts.
pub fn start() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// An active subscription of the space `acme` to everything, with the defaults of the API.
pub fn subscription(url: &str) -> Subscription {
    Subscription {
        id: SubscriptionId::new(start()),
        space: SpaceId::parse("acme").unwrap(),
        name: "test".to_owned(),
        description: String::new(),
        url: url.parse().unwrap(),
        method: Method::Post,
        event_types: vec![Pattern::All],
        condition: None,
        fields: FieldSelection::default(),
        content_type: ContentType::Json,
        headers: Vec::new(),
        delay_s: 0,
        plugin: None,
        secrets: vec![Secret::generate()],
        timeout_ms: 15_000,
        success_codes: SuccessCodes::Any2xx,
        retry: RetryPolicy::default(),
        state: SubscriptionState::Active,
        pause_reason: None,
        created_at: start(),
        updated_at: start(),
    }
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
    }
}
