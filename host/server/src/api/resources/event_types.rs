//! Event types: what a space says about the events that are posted to it.
//!
//! They inform people and tests. An event of a type that is not entered here is accepted all the same.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::http::access::{Manages, Reads};
use crate::api::http::extract::{JsonBody, PathParams, Query};
use crate::api::http::page::{self, Page, PageQuery};
use crate::api::{Api, check_description};
use crate::error::Error;
use crate::plugins::schema;
use hookmill_model::{EventType, SpaceId};
use hookmill_store::EventTypeEntry;

/// Event types read from the store at a time, where one is looked for.
const PAGE: usize = 200;

/// A page of the list.
type EventTypePage = Page<EventTypeView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list_event_types)).routes(routes!(put_event_type, delete_event_type))
}

/// What is said about an event type.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EventTypeInput {
    /// What it means: at most 2,000 characters.
    #[serde(default)]
    #[schema(required = false)]
    description: String,
    /// A JSON Schema (2020-12) of its data.
    schema: Option<Value>,
    /// An example of its data, which a test sends.
    example: Option<Value>,
}

/// An event type.
#[derive(Serialize, ToSchema)]
#[schema(as = EventType)]
struct EventTypeView {
    /// The type.
    #[schema(value_type = String)]
    name: EventType,
    /// What it means.
    description: String,
    /// A JSON Schema of its data; null if there is none.
    #[schema(required)]
    schema: Option<Value>,
    /// An example of its data; null if there is none.
    #[schema(required)]
    example: Option<Value>,
    /// When it was entered.
    created_at: Timestamp,
}

impl From<EventTypeEntry> for EventTypeView {
    fn from(EventTypeEntry { name, description, schema, example, created_at }: EventTypeEntry) -> Self {
        Self { name, description, schema, example, created_at }
    }
}

/// Creates or replaces an event type.
///
/// If it has a schema, its example has to fit it. Events are not checked against the schema.
#[utoipa::path(put, path = "/v1/spaces/{space}/event-types/{event_type}", tag = "event types",
    request_body = EventTypeInput, responses((status = 200, body = EventTypeView)))]
async fn put_event_type(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    JsonBody(input): JsonBody<EventTypeInput>,
) -> Result<Json<EventTypeView>, Error> {
    let EventTypeInput { description, schema, example } = input;
    let name = params.get("event_type")?;
    check_description(&description)?;
    if let Some(schema) = &schema {
        schema::check_schema(schema).map_err(|right| Error::field("/schema", right))?;
        if let Some(example) = &example {
            schema::check(schema, example).await.map_err(|err| err.at("/example"))?;
        }
    }
    let entry = EventTypeEntry { name, description, schema, example, created_at: api.host.clock.now() };
    api.host.store.put_event_type(&space, entry.clone()).await?;
    Ok(Json(entry.into()))
}

/// Lists event types by name.
///
/// They document the events of a space. An event of a type that is not in the list is accepted all the same.
#[utoipa::path(get, path = "/v1/spaces/{space}/event-types", tag = "event types", params(PageQuery),
    responses((status = 200, body = EventTypePage)))]
async fn list_event_types(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Json<EventTypePage>, Error> {
    let after = page::after(query.cursor.as_deref())?;
    let found = api.host.store.event_types(&space, after, query.limit.ask()).await?;
    Ok(Json(Page::new(found, query.limit, |entry| entry.name.clone(), EventTypeView::from)))
}

/// Deletes an event type.
///
/// Events of that type are not touched.
#[utoipa::path(delete, path = "/v1/spaces/{space}/event-types/{event_type}", tag = "event types",
    responses((status = 204, description = "It is gone")))]
async fn delete_event_type(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<StatusCode, Error> {
    let name: EventType = params.get("event_type")?;
    if api.host.store.delete_event_type(&space, &name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::not_found("event type", name))
    }
}

/// What a space says of an event type.
pub(super) async fn find(api: &Api, space: &SpaceId, kind: &EventType) -> Result<Option<EventTypeEntry>, Error> {
    let mut after = None;
    loop {
        let page = api.host.store.event_types(space, after, PAGE).await?;
        after = page.last().map(|entry| entry.name.clone());
        let last = page.len() < PAGE;
        let found = page.into_iter().find(|entry| entry.name == *kind);
        if last || found.is_some() {
            return Ok(found);
        }
    }
}
