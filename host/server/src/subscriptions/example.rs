//! Events made from the examples of event types.

use hookmill_model::{Event, EventId, EventType, Pattern, SpaceId, Subscription};
use hookmill_store::EventTypeEntry;

use crate::error::Error;
use crate::host::Host;

/// Event types read from the store at a time.
const PAGE: usize = 200;

/// Returns an event type of a space, if it is documented.
///
/// # Errors
/// If the store fails.
pub async fn event_type(host: &Host, space: &SpaceId, kind: &EventType) -> Result<Option<EventTypeEntry>, Error> {
    let mut after = None;
    loop {
        let page = host.store.event_types(space, after, PAGE).await?;
        after = page.next;
        let found = page.entries.into_iter().find(|entry| entry.name == *kind);
        if after.is_none() || found.is_some() {
            return Ok(found);
        }
    }
}

/// Returns the first event type of a subscription that is not a pattern.
pub fn first_type(subscription: &Subscription) -> Option<EventType> {
    subscription.event_types.iter().find_map(|pattern| match pattern {
        Pattern::Exactly(kind) => Some(kind.clone()),
        Pattern::All | Pattern::Below(_) => None,
    })
}

/// Returns an event for a handshake: the example of the subscription's first type, or else one whose data says that it
/// is a test.
///
/// # Errors
/// If the store fails.
pub async fn test_event(host: &Host, subscription: &Subscription) -> Result<Event, Error> {
    let space = &subscription.space;
    let first = first_type(subscription);
    let example = match &first {
        Some(kind) => event_type(host, space, kind).await?.and_then(|entry| entry.example),
        None => None,
    };
    let data = example.unwrap_or_else(|| serde_json::json!({"test": true}));
    let data = serde_json::value::to_raw_value(&data).map_err(|err| Error::internal(&err))?;
    let now = host.clock.now();
    Ok(Event {
        space: space.clone(),
        id: EventId::new(now),
        kind: first.unwrap_or_else(|| EventType::parse("test").expect("one word is an event type")),
        occurred_at: now,
        accepted_at: now,
        data: data.into(),
        changed_fields: None,
        previous: None,
    })
}
