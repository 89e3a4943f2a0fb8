//! Erasures: deleting history so that nothing of it can be read back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hookmill_model::{
    DeliveryId, Erasure, ErasureId, ErasureState, ErasureTarget, EventId, Quotas, SpaceId, SubscriptionId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::{Admin, AdminOf, Manages};
use crate::http::extract::{JsonBody, PathParams, Query};
use crate::http::page::{self, Page, PageQuery};
use crate::http::problem::Problem;
use hookmill_server::error::{Code, Error};
use hookmill_server::task::unbroken;

/// A page of erasures.
type ErasurePage = Page<ErasureView>;

/// Maximum length of a path in bytes, as of a changed field.
const PATH_BYTES_MAX: usize = 256;

/// Maximum length of a value in bytes: far more than an address, a number or a name has.
const VALUE_BYTES_MAX: usize = 1_024;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(erase, list_erasures))
        .routes(routes!(get_erasure))
        .routes(routes!(get_any_erasure))
        .routes(routes!(delete_space))
}

/// What to erase: one of `event`, `delivery`, `subscription`, or `path` with `value`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ErasureInput {
    /// Id of an event, which is erased with its deliveries. Posted again, the same id is a new event.
    #[schema(value_type = Option<String>)]
    event: Option<EventId>,
    /// Id of a delivery, which is erased with its attempts.
    #[schema(value_type = Option<String>)]
    delivery: Option<DeliveryId>,
    /// Id of a subscription, present or deleted, whose deliveries are erased with their attempts. Their events are kept.
    #[schema(value_type = Option<String>)]
    subscription: Option<SubscriptionId>,
    /// Path in the data of events, members joined by dots: at most 256 bytes. An array on the way is looked through.
    path: Option<String>,
    /// Text, number or boolean: each event that has it at the path, in its data or its previous data, is erased with its
    /// deliveries. At most 1,024 bytes.
    #[schema(value_type = Option<serde_json::Value>)]
    value: Option<Value>,
}

impl ErasureInput {
    fn target(self) -> Result<ErasureTarget, Error> {
        let one = "expected one of `event`, `delivery`, `subscription`, or `path` with `value`";
        match self {
            Self { event: Some(id), delivery: None, subscription: None, path: None, value: None } => {
                Ok(ErasureTarget::Event(Some(id)))
            }
            Self { event: None, delivery: Some(id), subscription: None, path: None, value: None } => {
                Ok(ErasureTarget::Delivery(id))
            }
            Self { event: None, delivery: None, subscription: Some(id), path: None, value: None } => {
                Ok(ErasureTarget::Subscription(id))
            }
            Self { event: None, delivery: None, subscription: None, path: Some(path), value: Some(value) } => {
                if path.len() > PATH_BYTES_MAX || path.split('.').any(str::is_empty) {
                    let expected = format!("expected members joined by dots, at most {PATH_BYTES_MAX} bytes");
                    return Err(Error::field("/path", expected));
                }
                let bytes = match &value {
                    Value::String(text) => text.len(),
                    Value::Number(number) => number.as_str().len(),
                    Value::Bool(_) => 1,
                    Value::Null | Value::Array(_) | Value::Object(_) => usize::MAX,
                };
                if bytes > VALUE_BYTES_MAX {
                    let expected = format!("expected a text, a number or a boolean of at most {VALUE_BYTES_MAX} bytes");
                    return Err(Error::field("/value", expected));
                }
                Ok(ErasureTarget::Value { path, value: Some(value) })
            }
            Self { event: None, delivery: None, subscription: None, path: Some(_), value: None } => {
                Err(Error::at(Code::FieldMissing, "/value", "missing: required with `path`"))
            }
            Self { event: None, delivery: None, subscription: None, path: None, value: Some(_) } => {
                Err(Error::at(Code::FieldMissing, "/path", "missing: required with `value`"))
            }
            _ => Err(Error::field("", one)),
        }
    }
}

/// How far an erasure is.
#[derive(Serialize, ToSchema)]
#[schema(as = ErasureState)]
#[serde(rename_all = "snake_case")]
enum StateName {
    /// Rows are being deleted. A delivery that is being sent is waited for.
    Erasing,
    /// No row is left; what rows left behind in the files is being overwritten.
    Cleaning,
    /// Nothing can be read back.
    Done,
}

/// An erasure, and its progress.
#[derive(Serialize, ToSchema)]
#[schema(as = Erasure)]
struct ErasureView {
    /// Id of the erasure.
    #[schema(value_type = String)]
    id: ErasureId,
    /// Space of the erasure; it does not exist any more if it was erased itself.
    #[schema(value_type = String)]
    space: SpaceId,
    /// State.
    state: StateName,
    /// Event that is erased. Absent once it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    event: Option<EventId>,
    /// Delivery that is erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    delivery: Option<DeliveryId>,
    /// Subscription whose deliveries are erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    subscription: Option<SubscriptionId>,
    /// Path of the value that is erased. The value is not returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    path: Option<String>,
    /// Events that were searched for the value.
    events_searched: u64,
    /// Events that were erased.
    events_erased: u64,
    /// Deliveries that were erased.
    deliveries_erased: u64,
    /// Time at which it was requested.
    created_at: Timestamp,
    /// Time at which it was done; null until then.
    #[schema(required)]
    finished_at: Option<Timestamp>,
}

impl From<Erasure> for ErasureView {
    fn from(erasure: Erasure) -> Self {
        let Erasure { id, space, target, state, searched, events, deliveries, created_at, finished_at } = erasure;
        let (mut event, mut delivery, mut subscription, mut path) = (None, None, None, None);
        match target {
            ErasureTarget::Event(id) => event = id,
            ErasureTarget::Delivery(id) => delivery = Some(id),
            ErasureTarget::Subscription(id) => subscription = Some(id),
            ErasureTarget::Value { path: at, .. } => path = Some(at),
            ErasureTarget::Space => {}
        }
        let state = match state {
            ErasureState::Erasing => StateName::Erasing,
            ErasureState::Cleaning => StateName::Cleaning,
            ErasureState::Done => StateName::Done,
        };
        let (events_searched, events_erased, deliveries_erased) = (searched, events, deliveries);
        Self {
            id,
            space,
            state,
            event,
            delivery,
            subscription,
            path,
            events_searched,
            events_erased,
            deliveries_erased,
            created_at,
            finished_at,
        }
    }
}

/// Erases history.
///
/// What was accepted until now is deleted in the background, also if it still waits to be sent, and overwritten in the host's
/// files: once the state is `done`, nothing of it can be read back. A delivery that is being sent is waited for. A batch that
/// waits is sent without the erased event; one that was sent is erased as a whole. What is erased by a value is found by an exact
/// match. Operational events that tell of an erased delivery are events of their own.
#[utoipa::path(post, path = "/v1/spaces/{space}/erasures", tag = "erasures", request_body = ErasureInput,
    responses((status = 202, body = ErasureView)))]
async fn erase(
    Manages(space): Manages,
    State(api): State<Api>,
    JsonBody(input): JsonBody<ErasureInput>,
) -> Result<(StatusCode, Json<ErasureView>), Problem> {
    let target = input.target()?;
    let missing = match &target {
        ErasureTarget::Event(Some(id)) => Error::not_found("event", id),
        ErasureTarget::Delivery(id) => Error::not_found("delivery", id),
        ErasureTarget::Subscription(id) => Error::not_found("subscription", id),
        ErasureTarget::Event(None) | ErasureTarget::Value { .. } | ErasureTarget::Space => {
            Error::not_found("space", &space)
        }
    };
    let begun = api.host.store.begin_erasure(&space, target, api.host.clock.now()).await?.ok_or(missing)?;
    api.host.erasures.notify_one();
    Ok((StatusCode::ACCEPTED, Json(begun.into())))
}

/// Lists the erasures of a space, newest first.
///
/// Those that are done are kept, without what they erased.
#[utoipa::path(get, path = "/v1/spaces/{space}/erasures", tag = "erasures", params(PageQuery),
    responses((status = 200, body = ErasurePage)))]
async fn list_erasures(
    Manages(space): Manages,
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ErasurePage>, Problem> {
    let before = page::after(query.cursor.as_deref())?;
    let found = api.host.store.erasures(&space, before, query.limit.ask()).await?;
    Ok(Json(Page::new(found, query.limit, |erasure| erasure.id, ErasureView::from)))
}

/// Returns an erasure of a space.
///
/// Includes its progress.
#[utoipa::path(get, path = "/v1/spaces/{space}/erasures/{erasure}", tag = "erasures",
    responses((status = 200, body = ErasureView)))]
async fn get_erasure(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<ErasureView>, Problem> {
    let id: ErasureId = params.get("erasure")?;
    let found = api.host.store.erasure(id).await?.filter(|erasure| erasure.space == space);
    Ok(Json(found.ok_or_else(|| Error::not_found("erasure", id))?.into()))
}

/// Returns an erasure, whatever its space.
///
/// Requires an admin key. It shows the progress of the erasure of a space, which has no keys any more.
#[utoipa::path(get, path = "/v1/erasures/{erasure}", tag = "erasures", responses((status = 200, body = ErasureView)))]
async fn get_any_erasure(_: Admin, State(api): State<Api>, params: PathParams) -> Result<Json<ErasureView>, Problem> {
    let id: ErasureId = params.get("erasure")?;
    let found = api.host.store.erasure(id).await?;
    Ok(Json(found.ok_or_else(|| Error::not_found("erasure", id))?.into()))
}

/// Deletes a space with all it has.
///
/// Requires an admin key. The space does not exist for any other operation from now on, and its keys stop working at once. Its
/// events, deliveries, subscriptions, event types and plugins are erased in the background; its id may be used again when the
/// erasure is `cleaning`.
#[utoipa::path(delete, path = "/v1/spaces/{space}", tag = "spaces", responses((status = 202, body = ErasureView)))]
async fn delete_space(
    AdminOf(space): AdminOf,
    State(api): State<Api>,
) -> Result<(StatusCode, Json<ErasureView>), Problem> {
    unbroken(async move {
        let now = api.host.clock.now();
        let begun = api.host.store.begin_erasure(&space, ErasureTarget::Space, now).await?;
        let begun = begun.ok_or_else(|| Error::not_found("space", &space))?;
        api.access.remove_space(&space);
        api.host.quotas.set(&space, Quotas::default());
        api.host.indexed.set(&space, Vec::new());
        api.host.erasures.notify_one();
        Ok((StatusCode::ACCEPTED, Json(begun.into())))
    })
    .await
}
