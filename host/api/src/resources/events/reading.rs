//! Reading events.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use hookmill_model::{Event, EventId, EventType, FieldPath};
use hookmill_store::{EventFilter, EventHead};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::Api;
use crate::http::access::Reads;
use crate::http::extract::{PathParams, Query};
use crate::http::memory::{LARGE_BYTES, PAGE_BYTES};
use crate::http::page::{self, Limit, Page};
use crate::http::problem::Problem;
use crate::resources::indexed;
use hookmill_server::error::Error;

/// A page of events.
type EventPage = Page<EventSummary>;

/// An event without its data.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
struct EventSummary {
    /// Id of the event.
    #[schema(value_type = String)]
    id: EventId,
    /// Event type.
    #[schema(value_type = String)]
    r#type: EventType,
    /// Time at which the event happened.
    occurred_at: Timestamp,
    /// Time at which the event was accepted.
    accepted_at: Timestamp,
}

impl From<EventHead> for EventSummary {
    fn from(EventHead { id, kind, occurred_at, accepted_at }: EventHead) -> Self {
        Self { id, r#type: kind, occurred_at, accepted_at }
    }
}

/// An event with its data.
#[derive(Serialize, ToSchema)]
#[schema(as = EventDetails)]
struct EventView {
    /// Id of the event.
    #[schema(value_type = String)]
    id: EventId,
    /// Event type.
    #[schema(value_type = String)]
    r#type: EventType,
    /// Time at which the event happened.
    occurred_at: Timestamp,
    /// Time at which the event was accepted.
    accepted_at: Timestamp,
    /// Number of deliveries created for the event.
    deliveries: u64,
    /// Changed fields as posted; null if none were given.
    #[schema(required)]
    changed_fields: Option<Vec<String>>,
    /// Data before the change, exactly as posted; null if none was given.
    #[schema(value_type = serde_json::Value)]
    previous: Option<Arc<RawValue>>,
    /// Data of the event, exactly as posted.
    #[schema(value_type = serde_json::Value)]
    data: Arc<RawValue>,
}

/// The filter and the page of a list of events.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Path of an event's data that the space indexes, one of its `indexed_paths`; with `value`.
    #[param(value_type = Option<String>, example = "deal.id")]
    path: Option<FieldPath>,
    /// Only events with this value at `path`: the text, or the number or boolean as posted; at most 256 bytes.
    #[param(max_length = 256, example = "4711")]
    value: Option<String>,
    /// Maximum number of entries in the page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// Lists events, newest first.
///
/// Their data is not included.
#[utoipa::path(get, path = "/v1/spaces/{space}/events", tag = "events", params(EventsQuery),
    responses((status = 200, body = EventPage)))]
pub(super) async fn list_events(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(EventsQuery { path, value, limit, cursor }): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let value = indexed::value(&api, &space, path, value)?;
    let filter = EventFilter { value, before: page::after(cursor.as_deref())? };
    let memory = api.memory.take(&space, PAGE_BYTES).await;
    let found = api.host.store.event_heads(&space, filter, limit.get()).await?;
    Ok(memory.json(&EventPage::part(found, EventSummary::from))?)
}

/// Returns an event.
///
/// Includes its data exactly as posted.
#[utoipa::path(get, path = "/v1/spaces/{space}/events/{event}", tag = "events",
    responses((status = 200, body = EventView)))]
pub(super) async fn get_event(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Response, Problem> {
    let id: EventId = params.get("event")?;
    let memory = api.memory.take(&space, LARGE_BYTES).await;
    let found = api.host.store.event(&space, &id).await?;
    let (event, deliveries) = found.ok_or_else(|| Error::not_found("event", id))?;
    let Event { space: _, id, kind, occurred_at, accepted_at, data, changed_fields, previous } = event;
    let view = EventView { id, r#type: kind, occurred_at, accepted_at, deliveries, data, changed_fields, previous };
    Ok(memory.json(&view)?)
}
