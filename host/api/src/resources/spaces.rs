//! Spaces, the tenants of the host.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hookmill_model::{FieldPath, MailAddress, PluginKey, Quotas, Retention, Space, SpaceId};
use hookmill_store::SpaceChange;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::{Admin, Manages, Reads};
use crate::http::extract::{JsonBody, Patch, Query};
use crate::http::json;
use crate::http::page::{self, Page, PageQuery};
use crate::http::problem::Problem;
use hookmill_server::error::{Code, Error};
use hookmill_server::host::Host;
use hookmill_server::number::{Bytes, Whole};
use hookmill_server::task::unbroken;

/// Enough for several teams that sign plugins, each with a current and a next key.
const PLUGIN_KEYS_MAX: usize = 10;

/// A hundred years.
const KEEP_DAYS_MAX: u32 = 36_500;

/// Each indexed path costs two rows for an event that has a value there.
const INDEXED_PATHS_MAX: usize = 5;

/// A page of spaces.
type SpacePage = Page<SpaceView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(create_space, list_spaces)).routes(routes!(get_space, change_space))
}

/// A space to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SpaceInput {
    /// Id of the space, used in paths: 1 to 63 characters of `a-z 0-9 -`, not starting with `-`.
    #[schema(value_type = String)]
    id: SpaceId,
    /// Display name, 1 to 200 characters; the id by default.
    name: Option<String>,
    /// E-mail addresses notified when deliveries fail, at most 50 unless the space's quota is another; none by default.
    #[schema(value_type = Option<Vec<String>>)]
    administrators: Option<Vec<MailAddress>>,
    /// Ed25519 public keys (`whpk_…`), at most 10; none by default. With at least one key, each plugin that is uploaded
    /// to or pulled into the space must be signed by one of them.
    #[schema(value_type = Option<Vec<String>>)]
    plugin_keys: Option<Vec<PluginKey>>,
    /// Days for which events, deliveries and attempts are kept; the host's default if omitted.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 36_500)]
    keep_days: Option<Whole<1, KEEP_DAYS_MAX>>,
    /// Bytes stored, beyond which the oldest events are deleted with their deliveries; the host's default if omitted, which
    /// is no limit.
    #[schema(value_type = Option<u64>, minimum = 1)]
    keep_bytes: Option<Bytes>,
    /// Paths of events' data, at most 5: member names joined by dots, such as `deal.id`. The texts, numbers and booleans
    /// there are indexed for events accepted from then on, so that events and deliveries are found by them. Values of more
    /// than 256 bytes are not indexed; none by default.
    #[schema(value_type = Option<Vec<String>>)]
    indexed_paths: Option<Vec<FieldPath>>,
}

/// Changes to a space.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SpacePatch {
    /// Display name, 1 to 200 characters; null restores the id.
    name: Option<String>,
    /// E-mail addresses notified when deliveries fail, at most 50 unless the space's quota is another; null for none.
    #[schema(value_type = Option<Vec<String>>)]
    administrators: Option<Vec<MailAddress>>,
    /// Ed25519 public keys (`whpk_…`), at most 10; null for none. With at least one key, each plugin that is uploaded to
    /// or pulled into the space from then on must be signed by one of them.
    #[schema(value_type = Option<Vec<String>>)]
    plugin_keys: Option<Vec<PluginKey>>,
    /// Days for which events, deliveries and attempts are kept; null restores the host's default.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 36_500)]
    keep_days: Option<Whole<1, KEEP_DAYS_MAX>>,
    /// Bytes stored, beyond which the oldest events are deleted with their deliveries; null restores the host's default.
    #[schema(value_type = Option<u64>, minimum = 1)]
    keep_bytes: Option<Bytes>,
    /// Paths of events' data, at most 5: member names joined by dots, such as `deal.id`. The texts, numbers and booleans
    /// there are indexed for events accepted from then on, so that events and deliveries are found by them. Values of more
    /// than 256 bytes are not indexed; null for no paths.
    #[schema(value_type = Option<Vec<String>>)]
    indexed_paths: Option<Vec<FieldPath>>,
}

/// A space: one tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Space)]
struct SpaceView {
    /// Id of the space.
    #[schema(value_type = String)]
    id: SpaceId,
    /// Display name.
    name: String,
    /// E-mail addresses notified when deliveries fail.
    #[schema(value_type = Vec<String>)]
    administrators: Vec<MailAddress>,
    /// Public keys that verify plugin signatures; without any, plugins need no signature.
    #[schema(value_type = Vec<String>)]
    plugin_keys: Vec<PluginKey>,
    /// Days for which events, deliveries and attempts are kept, each from its end on. What waits or is held is kept longer.
    keep_days: u32,
    /// Bytes stored, beyond which the oldest events are deleted with their deliveries; null for no limit.
    #[schema(required)]
    keep_bytes: Option<u64>,
    /// Paths of events' data whose values are indexed.
    #[schema(value_type = Vec<String>)]
    indexed_paths: Vec<FieldPath>,
    /// Time of creation.
    created_at: Timestamp,
}

impl SpaceView {
    fn of(host: &Host, space: Space) -> Self {
        let Space { id, name, administrators, plugin_keys, indexed_paths, quotas: _, retention, created_at } = space;
        let config = &host.config.retention;
        let Retention { keep_days, keep_bytes } = config.of(retention);
        let keep_days = keep_days.unwrap_or(config.keep_days);
        Self { id, name, administrators, plugin_keys, indexed_paths, keep_days, keep_bytes, created_at }
    }
}

/// Creates a space.
///
/// A space is one tenant. Its events, subscriptions, plugins and keys are separate from those of other spaces.
#[utoipa::path(post, path = "/v1/spaces", tag = "spaces", request_body = SpaceInput, responses(
    (status = 201, body = SpaceView),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "space_exists")))]
async fn create_space(
    _: Admin,
    State(api): State<Api>,
    JsonBody(input): JsonBody<SpaceInput>,
) -> Result<(StatusCode, Json<SpaceView>), Problem> {
    let name = input.name.unwrap_or_else(|| input.id.to_string());
    crate::check_name(&name)?;
    let administrators = input.administrators.unwrap_or_default();
    check_administrators(&administrators, api.host.quotas.limits(&input.id).administrators)?;
    let plugin_keys = input.plugin_keys.unwrap_or_default();
    check_plugin_keys(&plugin_keys)?;
    let indexed_paths = input.indexed_paths.unwrap_or_default();
    check_indexed_paths(&indexed_paths)?;
    let (quotas, created_at) = (Quotas::default(), api.host.clock.now());
    let retention =
        Retention { keep_days: input.keep_days.map(|days| days.0), keep_bytes: input.keep_bytes.map(|bytes| bytes.0) };
    let space = Space { id: input.id, name, administrators, plugin_keys, indexed_paths, quotas, retention, created_at };
    unbroken(async move {
        if !api.host.store.create_space(space.clone()).await? {
            return Err(Error::new(Code::SpaceExists, format!("space `{}` already exists", space.id)).into());
        }
        api.host.indexed.set(&space.id, space.indexed_paths.clone());
        api.access.put_space(space.id.clone());
        Ok((StatusCode::CREATED, Json(SpaceView::of(&api.host, space))))
    })
    .await
}

/// Lists spaces by id.
///
/// Requires an admin key.
#[utoipa::path(get, path = "/v1/spaces", tag = "spaces", params(PageQuery),
    responses((status = 200, body = SpacePage)))]
async fn list_spaces(
    _: Admin,
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Json<SpacePage>, Problem> {
    let after = page::after(query.cursor.as_deref())?;
    let found = api.host.store.spaces(after, query.limit.ask()).await?;
    Ok(Json(Page::new(found, query.limit, |space| space.id.clone(), |space| SpaceView::of(&api.host, space))))
}

/// Returns a space.
///
/// Includes its administrators and the public keys for plugin signatures.
#[utoipa::path(get, path = "/v1/spaces/{space}", tag = "spaces", responses((status = 200, body = SpaceView)))]
async fn get_space(Reads(id): Reads, State(api): State<Api>) -> Result<Json<SpaceView>, Problem> {
    let space = api.host.store.space(&id).await?.ok_or_else(|| Error::not_found("space", id))?;
    Ok(Json(SpaceView::of(&api.host, space)))
}

/// Changes a space by a JSON merge patch (RFC 7396).
///
/// An omitted member is not changed, null restores the default, and arrays are replaced as a whole. The content type
/// `application/merge-patch+json` is also accepted.
#[utoipa::path(patch, path = "/v1/spaces/{space}", tag = "spaces",
    request_body = SpacePatch,
    responses((status = 200, body = SpaceView)))]
async fn change_space(
    Manages(id): Manages,
    State(api): State<Api>,
    Patch(patch): Patch,
) -> Result<Json<SpaceView>, Problem> {
    let [has_name, has_administrators, has_keys, has_paths, has_days, has_bytes] =
        ["name", "administrators", "plugin_keys", "indexed_paths", "keep_days", "keep_bytes"]
            .map(|member| patch.contains_key(member));
    let given: SpacePatch = json::from_value(patch.into())?;
    let name = has_name.then(|| given.name.unwrap_or_else(|| id.to_string()));
    name.as_deref().map_or(Ok(()), crate::check_name)?;
    let administrators = has_administrators.then(|| given.administrators.unwrap_or_default());
    if let Some(administrators) = &administrators {
        check_administrators(administrators, api.host.quotas.limits(&id).administrators)?;
    }
    let plugin_keys = has_keys.then(|| given.plugin_keys.unwrap_or_default());
    plugin_keys.as_deref().map_or(Ok(()), check_plugin_keys)?;
    let indexed_paths = has_paths.then(|| given.indexed_paths.unwrap_or_default());
    indexed_paths.as_deref().map_or(Ok(()), check_indexed_paths)?;
    let change = SpaceChange {
        name,
        administrators,
        plugin_keys,
        indexed_paths,
        quotas: None,
        keep_days: has_days.then(|| given.keep_days.map(|days| days.0)),
        keep_bytes: has_bytes.then(|| given.keep_bytes.map(|bytes| bytes.0)),
    };
    unbroken(async move {
        let changed = api.host.store.change_space(&id, change).await?;
        let space = changed.ok_or_else(|| Error::not_found("space", &id))?;
        if has_paths {
            api.host.indexed.set(&id, space.indexed_paths.clone());
        }
        Ok(Json(SpaceView::of(&api.host, space)))
    })
    .await
}

fn check_administrators(addresses: &[MailAddress], max: Option<u32>) -> Result<(), Error> {
    if let Some(max) = max.filter(|max| addresses.len() > *max as usize) {
        return Err(Error::field("/administrators", format!("expected at most {max} addresses")));
    }
    for (index, address) in addresses.iter().enumerate() {
        if addresses[..index].iter().any(|earlier| earlier.as_str().eq_ignore_ascii_case(address.as_str())) {
            let duplicate = format!("duplicate address `{address}`");
            return Err(Error::field(format!("/administrators/{index}"), duplicate));
        }
    }
    Ok(())
}

fn check_indexed_paths(paths: &[FieldPath]) -> Result<(), Error> {
    if paths.len() > INDEXED_PATHS_MAX {
        return Err(Error::field("/indexed_paths", format!("expected at most {INDEXED_PATHS_MAX} paths")));
    }
    match (1..paths.len()).find(|&index| paths[..index].contains(&paths[index])) {
        Some(index) => {
            Err(Error::field(format!("/indexed_paths/{index}"), format!("duplicate path `{}`", paths[index])))
        }
        None => Ok(()),
    }
}

fn check_plugin_keys(keys: &[PluginKey]) -> Result<(), Error> {
    if keys.len() > PLUGIN_KEYS_MAX {
        return Err(Error::field("/plugin_keys", format!("expected at most {PLUGIN_KEYS_MAX} keys")));
    }
    match (1..keys.len()).find(|&index| keys[..index].contains(&keys[index])) {
        Some(index) => Err(Error::field(format!("/plugin_keys/{index}"), "duplicate key")),
        None => Ok(()),
    }
}
