//! Events: posting them, one at a time or many, and reading them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::http::access::{Produces, Reads};
use crate::api::http::extract::{self, PathParams, Query};
use crate::api::http::json;
use crate::api::http::page::{self, Page, PageQuery};
use crate::api::http::problem::{Problem, status};
use crate::error::{Code, Error};
use crate::ingest::{self, Conflict, IncomingEvent, Receipt, Target};
use hookmill_model::{Event, EventId, EventType, SpaceId};

/// What an event's other members may add to its data in a body.
const ENVELOPE_BYTES_MAX: usize = 64 << 10;

/// Names of changed fields: more than any form has.
const CHANGED_FIELDS_MAX: usize = 200;

/// The longest name of a field, members joined by dots.
const FIELD_BYTES_MAX: usize = 256;

const NDJSON: &str = "application/x-ndjson";

/// A page of the list.
type EventPage = Page<EventSummary>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(post_events, list_events)).routes(routes!(get_event))
}

/// An event to be accepted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EventInput {
    /// What happened: words of `A-Z a-z 0-9 _ - /` joined by dots, at most 128 characters.
    #[schema(value_type = String, example = "lead.created")]
    r#type: EventType,
    /// What is to be told of it: any JSON. Its text is kept exactly as posted.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
    /// Your own id for it, unique in the space: 1 to 128 of `A-Z a-z 0-9 _ - : ~ .`. Posting the same event again with
    /// the same id changes nothing and is answered as before.
    #[schema(value_type = Option<String>)]
    id: Option<EventId>,
    /// When it happened; now, if it is left out.
    #[serde(default, deserialize_with = "extract::time")]
    occurred_at: Option<Timestamp>,
    /// Which fields of the data changed, members joined by dots: at most 200. Triggers of subscriptions look at it.
    changed_fields: Option<Vec<String>>,
    /// The data as it was before, from which triggers tell what changed.
    #[schema(value_type = Option<serde_json::Value>)]
    previous: Option<Box<RawValue>>,
}

/// What became of an event.
#[derive(Serialize, ToSchema)]
#[schema(as = Receipt)]
struct ReceiptView {
    /// The event's id.
    #[schema(value_type = String)]
    id: EventId,
    /// When it happened.
    occurred_at: Timestamp,
    /// When it was accepted; of a repeated event, the first time.
    accepted_at: Timestamp,
    /// How many deliveries it made.
    deliveries: u64,
}

impl From<Receipt> for ReceiptView {
    fn from(Receipt { id, occurred_at, accepted_at, deliveries }: Receipt) -> Self {
        Self { id, occurred_at, accepted_at, deliveries }
    }
}

/// What became of one line of many: the members of a receipt, or a problem.
#[derive(Serialize, ToSchema)]
#[schema(as = LineResult)]
struct LineView {
    /// Which line, from 1; empty lines count, but have no result.
    line: usize,
    /// The status that the event would have been answered with alone.
    status: u16,
    /// The event's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    id: Option<EventId>,
    /// When it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    occurred_at: Option<Timestamp>,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    accepted_at: Option<Timestamp>,
    /// How many deliveries it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    deliveries: Option<u64>,
    /// Why it was not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<Problem>,
}

impl LineView {
    fn of(line: usize, result: Result<Receipt, Error>) -> Self {
        match result {
            Ok(Receipt { id, occurred_at, accepted_at, deliveries }) => Self {
                line,
                status: StatusCode::ACCEPTED.as_u16(),
                id: Some(id),
                occurred_at: Some(occurred_at),
                accepted_at: Some(accepted_at),
                deliveries: Some(deliveries),
                problem: None,
            },
            Err(problem) => {
                let status = status(problem.code).as_u16();
                let problem = Some(problem.into());
                Self { line, status, id: None, occurred_at: None, accepted_at: None, deliveries: None, problem }
            }
        }
    }
}

/// What became of many events.
#[derive(Serialize, ToSchema)]
#[schema(as = LineResults)]
struct ResultsView {
    /// One for each line, in order.
    results: Vec<LineView>,
}

/// What one event or many of them are answered with.
#[derive(ToSchema)]
#[schema(as = Accepted)]
#[serde(untagged)]
#[expect(dead_code, reason = "stands in the document alone")]
enum AcceptedView {
    /// One event.
    One(ReceiptView),
    /// Many.
    Many(ResultsView),
}

/// An event without its data.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
struct EventSummary {
    /// Its id.
    #[schema(value_type = String)]
    id: EventId,
    /// What happened.
    #[schema(value_type = String)]
    r#type: EventType,
    /// When it happened.
    occurred_at: Timestamp,
    /// When it was accepted.
    accepted_at: Timestamp,
}

impl From<Event> for EventSummary {
    fn from(event: Event) -> Self {
        let Event { id, kind, occurred_at, accepted_at, .. } = event;
        Self { id, r#type: kind, occurred_at, accepted_at }
    }
}

/// An event as it was accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = EventDetails)]
struct EventView {
    /// Its id.
    #[schema(value_type = String)]
    id: EventId,
    /// What happened.
    #[schema(value_type = String)]
    r#type: EventType,
    /// When it happened.
    occurred_at: Timestamp,
    /// When it was accepted.
    accepted_at: Timestamp,
    /// How many deliveries it made.
    deliveries: u64,
    /// The fields that changed, as posted; null if nothing was said of them.
    #[schema(required)]
    changed_fields: Option<Vec<String>>,
    /// The data as it was before, exactly as posted; null if it was not told.
    #[schema(value_type = serde_json::Value)]
    previous: Option<Arc<RawValue>>,
    /// Its data, exactly as posted.
    #[schema(value_type = serde_json::Value)]
    data: Arc<RawValue>,
}

/// Posts an event, or many as NDJSON.
///
/// Answered with 202 once the event and its deliveries are on disk, and not before.
///
/// With the content type `application/x-ndjson`, each line is an event of its own: valid lines are accepted even if
/// others are not. The answer is 202 if all were accepted, else 207, with a result for each line.
#[utoipa::path(post, path = "/v1/spaces/{space}/events", tag = "events",
    request_body = EventInput,
    responses(
        (status = 202, body = AcceptedView),
        (status = 207, body = ResultsView),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "event_conflict")))]
async fn post_events(Produces(space): Produces, State(api): State<Api>, request: Request) -> Result<Response, Error> {
    let limits = &api.host.config.accept;
    if extract::media_type(request.headers(), &["application/json", NDJSON])? == NDJSON {
        let body = extract::read(request, limits.batch_bytes_max, "a request with many events").await?;
        return post_many(&api, space, body).await;
    }
    let body_max = 2 * limits.event_bytes_max + ENVELOPE_BYTES_MAX;
    let body = extract::read(request, body_max, "an event with all its members").await?;
    let posted = parse(&body, limits.event_bytes_max)?;
    let result = ingest::accept(&api.host, space, vec![posted], Target::Matching).await?.pop();
    let receipt = result.expect("one event has one result").map_err(conflict)?;
    Ok((StatusCode::ACCEPTED, Json(ReceiptView::from(receipt))).into_response())
}

async fn post_many(api: &Api, space: SpaceId, body: Bytes) -> Result<Response, Error> {
    let limits = api.host.config.accept.clone();
    let parsing =
        tokio::task::spawn_blocking(move || parse_lines(&body, limits.batch_events_max, limits.event_bytes_max));
    let lines = parsing.await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))?;
    let good = lines.iter().filter_map(|(_, posted)| posted.as_ref().ok()).cloned().collect();
    let mut accepted = ingest::accept(&api.host, space, good, Target::Matching).await?.into_iter();
    let results: Vec<_> = lines
        .into_iter()
        .map(|(line, posted)| {
            let result = posted.and_then(|_| accepted.next().expect("each good line has a result").map_err(conflict));
            LineView::of(line, result)
        })
        .collect();
    let all = results.iter().all(|result| result.problem.is_none());
    let status = if all { StatusCode::ACCEPTED } else { StatusCode::MULTI_STATUS };
    Ok((status, Json(ResultsView { results })).into_response())
}

type Line = (usize, Result<IncomingEvent, Error>);

fn parse_lines(body: &[u8], lines_max: usize, data_max: usize) -> Result<Vec<Line>, Error> {
    let lines: Vec<_> = body
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty())
        .take(lines_max + 1)
        .collect();
    if lines.is_empty() {
        return Err(Error::field("", "the body has no event: put one JSON object on each line"));
    }
    if lines.len() > lines_max {
        return Err(Error::new(Code::TooLarge, format!("a request has at most {lines_max} events")));
    }
    Ok(lines.into_iter().map(|(number, line)| (number, parse(line, data_max))).collect())
}

fn parse(text: &[u8], data_max: usize) -> Result<IncomingEvent, Error> {
    let EventInput { r#type: kind, data, id, occurred_at, changed_fields, previous } = json::object(text)?;
    check_data(&data, "/data", data_max)?;
    if let Some(previous) = &previous {
        check_data(previous, "/previous", data_max)?;
    }
    let fields = changed_fields.as_deref().unwrap_or_default();
    if fields.len() > CHANGED_FIELDS_MAX || fields.iter().any(|field| field.len() > FIELD_BYTES_MAX) {
        let right = format!("at most {CHANGED_FIELDS_MAX} names of fields, each of at most {FIELD_BYTES_MAX} bytes");
        return Err(Error::field("/changed_fields", right));
    }
    if kind.is_operational() {
        return Err(Error::field("/type", format!("`{kind}` is told by the host itself: choose another type")));
    }
    Ok(IncomingEvent { id, kind, occurred_at, data: data.into(), changed_fields, previous: previous.map(Arc::from) })
}

/// Checks data of an event, which stands at `pointer` in the body.
pub(super) fn check_data(data: &RawValue, pointer: &str, bytes_max: usize) -> Result<(), Error> {
    if data.get().len() > bytes_max {
        return Err(Error::at(Code::TooLarge, pointer, format!("an event's data has at most {bytes_max} bytes")));
    }
    json::check_readable(data.get()).map_err(|err| Error::field(pointer, err))
}

fn conflict(Conflict(id): Conflict) -> Error {
    Error::new(Code::EventConflict, format!("an event `{id}` of other type, data or time was accepted before"))
}

/// Lists events, newest first.
///
/// Without their data.
#[utoipa::path(get, path = "/v1/spaces/{space}/events", tag = "events", params(PageQuery),
    responses((status = 200, body = EventPage)))]
async fn list_events(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Json<EventPage>, Error> {
    let before = page::after(query.cursor.as_deref())?;
    let found = api.host.store.events(&space, before, query.limit.ask()).await?;
    Ok(Json(Page::new(found, query.limit, |event| event.id.clone(), EventSummary::from)))
}

/// Returns an event.
///
/// With its data exactly as posted.
#[utoipa::path(get, path = "/v1/spaces/{space}/events/{event}", tag = "events",
    responses((status = 200, body = EventView)))]
async fn get_event(Reads(space): Reads, State(api): State<Api>, params: PathParams) -> Result<Json<EventView>, Error> {
    let id: EventId = params.get("event")?;
    let found = api.host.store.event(&space, &id).await?;
    let (event, deliveries) = found.ok_or_else(|| Error::not_found("event", id))?;
    let Event { space: _, id, kind, occurred_at, accepted_at, data, changed_fields, previous } = event;
    Ok(Json(EventView { id, r#type: kind, occurred_at, accepted_at, deliveries, data, changed_fields, previous }))
}
