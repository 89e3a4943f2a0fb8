//! API keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::http::access::Admin;
use crate::api::http::extract::{JsonBody, PathParams, Query};
use crate::api::http::page::{self, Page, PageQuery};
use crate::api::http::problem::Problem;
use crate::error::{Code, Error};
use crate::keys::generate;
use crate::task::unbroken;
use hookmill_model::{Key, KeyId, Role, SpaceId};

/// A page of the list.
type KeyPage = Page<KeyView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(create_key, list_keys)).routes(routes!(delete_key))
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyInput {
    /// What uses it: at most 200 characters.
    name: String,
    /// What it allows.
    #[schema(value_type = RoleName)]
    role: Role,
    /// The space that it is for; none for an admin's.
    #[schema(value_type = Option<String>)]
    space: Option<SpaceId>,
}

/// What a key allows.
#[derive(ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[expect(dead_code, reason = "stands in the document for the model's role, which knows nothing of documents")]
enum RoleName {
    /// Read subscriptions, events and deliveries of its space.
    Read,
    /// Post events to its space.
    Produce,
    /// All in its space.
    Manage,
    /// All in all spaces, and spaces and keys themselves.
    Admin,
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyView {
    /// Its id.
    #[schema(value_type = String)]
    id: KeyId,
    /// What uses it.
    name: String,
    /// What it allows.
    #[schema(value_type = RoleName)]
    role: Role,
    /// The space that it is for; null for an admin's.
    #[schema(value_type = Option<String>, required)]
    space: Option<SpaceId>,
    /// When it was made.
    created_at: Timestamp,
    /// The key itself: shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key: Option<String>,
}

impl KeyView {
    fn of(key: &Key, text: Option<String>) -> Self {
        let Key { id, name, role, space, secret_sha256: _, created_at } = key.clone();
        Self { id, name, role, space, created_at, key: text }
    }
}

/// Creates an API key.
///
/// The answer is the only place where the key itself is shown; the host keeps its hash.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = KeyInput, responses((status = 201, body = KeyView)))]
async fn create_key(
    _: Admin,
    State(api): State<Api>,
    JsonBody(input): JsonBody<KeyInput>,
) -> Result<(StatusCode, Json<KeyView>), Error> {
    crate::api::check_name(&input.name)?;
    match (input.role, &input.space) {
        (Role::Admin, Some(_)) => {
            return Err(Error::field("/space", "an admin's key is for all spaces: leave it out"));
        }
        (Role::Admin, None) => {}
        (_, None) => return Err(Error::at(Code::FieldMissing, "/space", "a key of this role is for one space")),
        (_, Some(space)) if api.access.knows(space) => {}
        (_, Some(space)) => return Err(Error::field("/space", format!("there is no space `{space}`"))),
    }
    let (key, text) = generate(input.name, input.role, input.space, api.host.clock.now());
    let view = KeyView::of(&key, Some(text));
    unbroken(async move {
        api.host.store.create_key(key.clone()).await?;
        api.access.put_key(key);
        Ok::<_, Error>(())
    })
    .await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Lists API keys, oldest first.
///
/// Without their secrets, which the host does not have.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(PageQuery), responses((status = 200, body = KeyPage)))]
async fn list_keys(_: Admin, State(api): State<Api>, Query(query): Query<PageQuery>) -> Result<Json<KeyPage>, Error> {
    let after = page::after::<KeyId>(query.cursor.as_deref())?;
    let found = api.access.keys().into_iter().filter(|key| after.is_none_or(|after| key.id > after));
    let found = found.take(query.limit.ask()).collect();
    Ok(Json(Page::new(found, query.limit, |key| key.id, |key| KeyView::of(&key, None))))
}

/// Deletes an API key.
///
/// It stops working at once. The last admin key cannot be deleted: nobody could create another.
#[utoipa::path(delete, path = "/v1/keys/{key}", tag = "keys", responses(
    (status = 204, description = "It is gone"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "last_admin_key")))]
async fn delete_key(_: Admin, State(api): State<Api>, params: PathParams) -> Result<StatusCode, Error> {
    let id: KeyId = params.get("key")?;
    unbroken(async move {
        let _changing = api.access.changing().await;
        let mut admins = api.access.keys();
        admins.retain(|key| key.role == Role::Admin);
        if admins.len() == 1 && admins[0].id == id {
            return Err(Error::new(Code::LastAdminKey, "this is the only admin key: make another first"));
        }
        if !api.host.store.delete_key(id).await? {
            return Err(Error::not_found("key", id));
        }
        api.access.remove_key(id);
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
