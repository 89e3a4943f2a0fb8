//! Event types: the documentation of a space's events.
//!
//! They serve people, tests and previews. An event whose type is not documented is accepted as well.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hookmill_model::EventType;
use hookmill_store::EventTypeEntry;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::access::{Manages, Reads};
use crate::http::extract::{JsonBody, PathParams, Query};
use crate::http::memory::LARGE_BYTES;
use crate::http::page::{self, Page, PageQuery};
use crate::http::problem::Problem;
use crate::{Api, check_description};
use hookmill_server::error::Error;
use hookmill_server::plugins::schema::Checker;

/// A page of event types.
type EventTypePage = Page<EventTypeView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list_event_types)).routes(routes!(put_event_type, delete_event_type))
}

/// An event type to create or to replace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EventTypeInput {
    /// Meaning of the event type, at most 2,000 characters.
    #[serde(default)]
    #[schema(required = false)]
    description: String,
    /// JSON Schema (2020-12) of the events' data.
    schema: Option<Value>,
    /// Example of the data, which test events and previews use.
    example: Option<Value>,
}

/// An event type.
#[derive(Serialize, ToSchema)]
#[schema(as = EventType)]
struct EventTypeView {
    /// Name of the event type.
    #[schema(value_type = String)]
    name: EventType,
    /// Meaning of the event type.
    description: String,
    /// JSON Schema of the events' data; null if there is none.
    #[schema(required)]
    schema: Option<Value>,
    /// Example of the data; null if there is none.
    #[schema(required)]
    example: Option<Value>,
    /// Time of creation, or of the last replacement.
    created_at: Timestamp,
}

impl From<EventTypeEntry> for EventTypeView {
    fn from(EventTypeEntry { name, description, schema, example, created_at }: EventTypeEntry) -> Self {
        Self { name, description, schema, example, created_at }
    }
}

/// Creates or replaces an event type.
///
/// An example must conform to the schema. Events are not validated against it.
#[utoipa::path(put, path = "/v1/spaces/{space}/event-types/{event_type}", tag = "event types",
    request_body = EventTypeInput, responses((status = 200, body = EventTypeView)))]
async fn put_event_type(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    JsonBody(input): JsonBody<EventTypeInput>,
) -> Result<Json<EventTypeView>, Problem> {
    let EventTypeInput { description, schema, example } = input;
    let name = params.get("event_type")?;
    check_description(&description)?;
    if let Some(schema) = &schema {
        let checker = Checker::of(&api.host, &space);
        checker.check_schema(schema).await.map_err(|err| err.of_schema("/schema"))?;
        if let Some(example) = &example {
            checker.check(schema, example).await.map_err(|err| err.at("/example"))?;
        }
    }
    let entry = EventTypeEntry { name, description, schema, example, created_at: api.host.clock.now() };
    api.host.store.put_event_type(&space, entry.clone()).await?;
    Ok(Json(entry.into()))
}

/// Lists event types by name.
///
/// They document the events of the space. An event of a type that is not listed is accepted as well.
#[utoipa::path(get, path = "/v1/spaces/{space}/event-types", tag = "event types", params(PageQuery),
    responses((status = 200, body = EventTypePage)))]
async fn list_event_types(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let after = page::after(query.cursor.as_deref())?;
    let memory = api.memory.take(&space, LARGE_BYTES).await;
    let found = api.host.store.event_types(&space, after, query.limit.get()).await?;
    Ok(memory.json(&EventTypePage::part(found, EventTypeView::from))?)
}

/// Deletes an event type.
///
/// Events of this type are kept.
#[utoipa::path(delete, path = "/v1/spaces/{space}/event-types/{event_type}", tag = "event types",
    responses((status = 204, description = "The event type is deleted")))]
async fn delete_event_type(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<StatusCode, Problem> {
    let name: EventType = params.get("event_type")?;
    if api.host.store.delete_event_type(&space, &name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::not_found("event type", name).into())
    }
}
