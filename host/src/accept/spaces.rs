//! Spaces.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Admin, Reads};
use super::extract::{JsonBody, Query};
use super::page::{self, Page, PageQuery};
use super::problem::{Code, Problem};
use super::{Api, unbroken};
use crate::model::{Space, SpaceId};

/// The paths of this resource.
pub(super) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(create_space, list_spaces)).routes(routes!(get_space))
}

/// A space to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SpaceInput {
    /// Its id, used in every path: 1 to 63 of `a-z 0-9 -`, not starting with `-`.
    #[schema(value_type = String)]
    id: SpaceId,
    /// For people: at most 200 characters; the id if it is left out.
    name: Option<String>,
}

/// One tenant.
#[derive(Serialize, ToSchema)]
struct SpaceView {
    /// Its id.
    #[schema(value_type = String)]
    id: SpaceId,
    /// For people.
    name: String,
    /// When it was created.
    created_at: Timestamp,
}

impl From<Space> for SpaceView {
    fn from(Space { id, name, created_at }: Space) -> Self {
        Self { id, name, created_at }
    }
}

/// Creates a space.
#[utoipa::path(post, path = "/v1/spaces", tag = "spaces", request_body = SpaceInput, responses(
    (status = 201, body = SpaceView),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "space_exists")))]
async fn create_space(
    _: Admin,
    State(api): State<Api>,
    JsonBody(input): JsonBody<SpaceInput>,
) -> Result<(StatusCode, Json<SpaceView>), Problem> {
    let name = input.name.unwrap_or_else(|| input.id.to_string());
    super::check_name(&name)?;
    let space = Space { id: input.id, name, created_at: api.host.clock.now() };
    unbroken(async move {
        if !api.host.store.create_space(space.clone()).await? {
            return Err(Problem::new(Code::SpaceExists, format!("there is a space `{}` already", space.id)));
        }
        api.access.put_space(space.id.clone());
        Ok((StatusCode::CREATED, Json(space.into())))
    })
    .await
}

/// Lists spaces by id.
#[utoipa::path(get, path = "/v1/spaces", tag = "spaces", params(PageQuery),
    responses((status = 200, body = Page<SpaceView>)))]
async fn list_spaces(
    _: Admin,
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<SpaceView>>, Problem> {
    let after = page::after(query.cursor.as_deref())?;
    let found = api.host.store.spaces(after, query.limit.ask()).await?;
    Ok(Json(Page::new(found, query.limit, |space| space.id.clone(), SpaceView::from)))
}

/// Reads a space.
#[utoipa::path(get, path = "/v1/spaces/{space}", tag = "spaces", responses((status = 200, body = SpaceView)))]
async fn get_space(Reads(id): Reads, State(api): State<Api>) -> Result<Json<SpaceView>, Problem> {
    let space = api.host.store.space(&id).await?.ok_or_else(|| Problem::not_found("space", id))?;
    Ok(Json(space.into()))
}
