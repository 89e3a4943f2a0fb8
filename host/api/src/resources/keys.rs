//! API keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hookmill_model::{Key, KeyId, Role, SpaceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::{Admin, AnyKey};
use crate::http::extract::{JsonBody, PathParams, Query};
use crate::http::page::{self, Page, PageQuery};
use crate::http::problem::Problem;
use hookmill_server::error::{Code, Error};
use hookmill_server::keys::generate;
use hookmill_server::number::Whole;
use hookmill_server::quotas;
use hookmill_server::task::unbroken;

/// A page of keys.
type KeyPage = Page<KeyView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(create_key, list_keys))
        .routes(routes!(delete_key))
        .routes(routes!(get_own_key))
}

/// A key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyInput {
    /// Display name, such as the program that uses the key: 1 to 200 characters.
    name: String,
    /// Role of the key.
    #[schema(value_type = RoleName)]
    role: Role,
    /// Space that the key belongs to. Required unless the role is `admin`, which does not permit it.
    #[schema(value_type = Option<String>)]
    space: Option<SpaceId>,
    /// Requests per second that the key may make, beyond which they are refused with 429; no limit by default.
    #[schema(value_type = Option<u32>, minimum = 1)]
    requests_per_s: Option<Whole<1, { u32::MAX }>>,
}

/// Role of a key: the operations it permits.
#[derive(ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[expect(dead_code, reason = "used in the API description alone, in place of the model's role")]
enum RoleName {
    /// Reads subscriptions, events and deliveries of its space.
    Read,
    /// Posts events to its space.
    Produce,
    /// Permits every operation in its space.
    Manage,
    /// Permits every operation in all spaces, and manages spaces and keys.
    Admin,
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyView {
    /// Id of the key.
    #[schema(value_type = String)]
    id: KeyId,
    /// Display name.
    name: String,
    /// Role of the key.
    #[schema(value_type = RoleName)]
    role: Role,
    /// Space that the key belongs to; null for the role `admin`.
    #[schema(value_type = Option<String>, required)]
    space: Option<SpaceId>,
    /// Requests per second that the key may make; null for no limit.
    #[schema(required)]
    requests_per_s: Option<u32>,
    /// Time of creation.
    created_at: Timestamp,
    /// The key itself. Returned only on creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key: Option<String>,
}

impl KeyView {
    fn of(key: &Key, text: Option<String>) -> Self {
        let Key { id, name, role, space, secret_sha256: _, requests_per_s, created_at } = key.clone();
        Self { id, name, role, space, requests_per_s, created_at, key: text }
    }
}

/// Creates an API key.
///
/// The key itself is returned only in this response; the host stores a hash of it.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = KeyInput, responses((status = 201, body = KeyView)))]
async fn create_key(
    _: Admin,
    State(api): State<Api>,
    JsonBody(input): JsonBody<KeyInput>,
) -> Result<(StatusCode, Json<KeyView>), Problem> {
    crate::check_name(&input.name)?;
    match (input.role, &input.space) {
        (Role::Admin, Some(_)) => {
            return Err(Error::field("/space", "an admin key is valid in all spaces: omit `space`").into());
        }
        (Role::Admin, None) => {}
        (_, None) => {
            return Err(Error::at(Code::FieldMissing, "/space", "missing: required for a key with this role").into());
        }
        (_, Some(space)) if api.access.knows(space) => {}
        (_, Some(space)) => return Err(Error::field("/space", format!("space `{space}` does not exist")).into()),
    }
    if let Some(space) = &input.space {
        quotas::check_count("keys", api.host.quotas.limits(space).keys, api.access.keys_of(space) as u64)?;
    }
    let (mut key, text) = generate(input.name, input.role, input.space, api.host.clock.now());
    key.requests_per_s = input.requests_per_s.map(|Whole(rate)| rate);
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
/// The keys themselves are not included: the host stores only hashes of them.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(PageQuery), responses((status = 200, body = KeyPage)))]
async fn list_keys(_: Admin, State(api): State<Api>, Query(query): Query<PageQuery>) -> Result<Json<KeyPage>, Problem> {
    let after = page::after::<KeyId>(query.cursor.as_deref())?;
    let found = api.access.keys().into_iter().filter(|key| after.is_none_or(|after| key.id > after));
    let found = found.take(query.limit.ask()).collect();
    Ok(Json(Page::new(found, query.limit, |key| key.id, |key| KeyView::of(&key, None))))
}

/// Deletes an API key.
///
/// The key stops working at once. The last admin key cannot be deleted, since no other key can create one.
#[utoipa::path(delete, path = "/v1/keys/{key}", tag = "keys", responses(
    (status = 204, description = "The key is deleted"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "last_admin_key")))]
async fn delete_key(_: Admin, State(api): State<Api>, params: PathParams) -> Result<StatusCode, Problem> {
    let id: KeyId = params.get("key")?;
    unbroken(async move {
        let _changing = api.access.changing().await;
        let mut admins = api.access.keys();
        admins.retain(|key| key.role == Role::Admin);
        if admins.len() == 1 && admins[0].id == id {
            return Err(Error::new(
                Code::LastAdminKey,
                "the last admin key cannot be deleted: create another admin key first",
            )
            .into());
        }
        if !api.host.store.delete_key(id).await? {
            return Err(Error::not_found("key", id).into());
        }
        api.access.remove_key(id);
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Returns the key of the request.
///
/// Tells the caller what its key permits, and where.
#[utoipa::path(get, path = "/v1/key", tag = "keys", responses((status = 200, body = KeyView)))]
async fn get_own_key(AnyKey(key): AnyKey) -> Json<KeyView> {
    Json(KeyView::of(&key, None))
}
