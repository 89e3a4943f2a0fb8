//! Shared by the benchmarks.

use std::sync::Arc;

use hookmill_model::{Event, EventId, EventType, Pattern, SpaceId, Subscription};
use jiff::Timestamp;
use serde_json::value::RawValue;

pub(crate) fn space() -> SpaceId {
    SpaceId::parse("acme").unwrap()
}

/// A subscription to the types that `pattern` matches, with defaults otherwise.
pub(crate) fn subscription(pattern: &str, now: Timestamp) -> Subscription {
    let url = "http://127.0.0.1:9/".parse().unwrap();
    Subscription::new(space(), "bench", url, vec![Pattern::parse(pattern).unwrap()], now)
}

/// A `deal.won` with this data.
pub(crate) fn event(data: &str, now: Timestamp) -> Event {
    Event {
        space: space(),
        id: EventId::new(now),
        kind: EventType::parse("deal.won").unwrap(),
        occurred_at: now,
        accepted_at: now,
        data: Arc::from(RawValue::from_string(data.to_owned()).unwrap()),
        changed_fields: None,
        previous: None,
    }
}
