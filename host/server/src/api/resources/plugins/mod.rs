//! Plugins: uploading components, and choosing one for a subscription.
//!
//! A space's own plugin hides a bundled one of the same name, with all its versions.

mod delete;
mod preview_plugin;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::http::access::{Manages, Reads};
use crate::api::http::extract::{self, PathParams, Query};
use crate::api::http::page::{Page, PageQuery};
use crate::api::http::problem::Problem;
use crate::error::Error;
use crate::plugins::admit::{self, Candidate};
use crate::plugins::versions::{hide_bundled, newest, usable};
use hookmill_model::{Digest, Plugin, PluginName, PluginVersion, SpaceId};

/// The header of an upload that carries the component's signature.
const SIGNATURE: &str = "hookmill-plugin-signature";

/// A page of the list.
type PluginPage = Page<PluginView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(upload_plugin, list_plugins))
        .routes(routes!(list_plugin_versions))
        .routes(routes!(get_plugin, delete::delete_plugin))
        .merge(preview_plugin::paths())
}

/// One version of a plugin.
#[derive(Serialize, ToSchema)]
#[schema(as = Plugin)]
pub(super) struct PluginView {
    /// Its name.
    #[schema(value_type = String)]
    name: PluginName,
    /// Its version.
    #[schema(value_type = String)]
    version: PluginVersion,
    /// SHA-256 of its component.
    #[schema(value_type = String)]
    digest: Digest,
    /// Whether it comes with the host, for every space.
    bundled: bool,
    /// What it is for.
    summary: String,
    /// The content types that it makes.
    content_types: Vec<String>,
    /// The JSON Schema of its configuration.
    config_schema: Value,
    /// The component's size.
    size_bytes: u64,
    /// Where it was pulled from, by digest, or which file it was; null if it was uploaded or comes with the host.
    #[schema(required)]
    source: Option<String>,
    /// When it was uploaded.
    created_at: Timestamp,
}

impl From<Plugin> for PluginView {
    fn from(plugin: Plugin) -> Self {
        let Plugin {
            space,
            name,
            version,
            digest,
            summary,
            content_types,
            config_schema,
            size_bytes,
            source,
            created_at,
        } = plugin;
        let bundled = space.is_none();
        Self { name, version, digest, bundled, summary, content_types, config_schema, size_bytes, source, created_at }
    }
}

/// A WebAssembly component.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "used in the API description alone")]
struct Component(Vec<u8>);

/// Uploads a plugin.
///
/// The body is a WebAssembly component that exports `hookmill:plugin/transformer`. Name and version are the component's
/// own. A version never changes: another component under the same name and version is refused, the same one again is
/// answered with 200. If it is the newest version of a range that subscriptions follow, they use it from this answer
/// on, as far as their configurations fit its schema. If the space has `plugin_keys`, the header
/// `hookmill-plugin-signature` has to carry the component's signature.
#[utoipa::path(post, path = "/v1/spaces/{space}/plugins", tag = "plugins",
    params(("hookmill-plugin-signature" = Option<String>, Header, nullable = false,
        description = "Ed25519 over the text of the digest, in base64")),
    request_body(content = inline(Component), content_type = "application/wasm"),
    responses(
        (status = 201, body = PluginView, description = "It is new"),
        (status = 200, body = PluginView, description = "It was there already"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "plugin_version_exists")))]
async fn upload_plugin(
    Manages(space): Manages,
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<PluginView>), Error> {
    extract::media_type(request.headers(), &["application/wasm"])?;
    let signature =
        request.headers().get(SIGNATURE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let component = extract::read(request, api.host.config.plugin.component_bytes_max, "a component").await?;
    admitted(&api, &space, Candidate { component, signature, source: None }).await
}

/// Lets a component into the space, and answers with the plugin.
pub(super) async fn admitted(
    api: &Api,
    space: &SpaceId,
    candidate: Candidate,
) -> Result<(StatusCode, Json<PluginView>), Error> {
    let (is_new, plugin) = admit::into_space(&api.host, space, candidate).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(plugin.into())))
}

/// Lists the plugins that the space can use.
///
/// Its own and the bundled ones, by name, each in its newest version.
#[utoipa::path(get, path = "/v1/spaces/{space}/plugins", tag = "plugins", params(PageQuery),
    responses((status = 200, body = PluginPage)))]
async fn list_plugins(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PluginPage>, Error> {
    let mut all = api.host.store.plugins(&space, None).await?;
    hide_bundled(&mut all);
    let newest: Vec<_> = all.chunk_by(|a, b| a.name == b.name).filter_map(newest).cloned().collect();
    Page::of(newest, &query, |plugin| plugin.name.clone(), PluginView::from).map(Json)
}

/// Lists the versions of a plugin, newest first.
///
/// A plugin of the space hides a bundled one of the same name, with all its versions.
#[utoipa::path(get, path = "/v1/spaces/{space}/plugins/{plugin}", tag = "plugins", params(PageQuery),
    responses((status = 200, body = PluginPage)))]
async fn list_plugin_versions(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
    Query(query): Query<PageQuery>,
) -> Result<Json<PluginPage>, Error> {
    let name = params.get("plugin")?;
    let versions = usable(&*api.host.store, &space, &name).await?;
    if versions.is_empty() {
        return Err(Error::not_found("plugin", name));
    }
    Page::of(versions, &query, |plugin| plugin.version.clone(), PluginView::from).map(Json)
}

/// Returns one version of a plugin.
///
/// With the JSON Schema of its configuration.
#[utoipa::path(get, path = "/v1/spaces/{space}/plugins/{plugin}/{version}", tag = "plugins",
    responses((status = 200, body = PluginView)))]
async fn get_plugin(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<PluginView>, Error> {
    let (name, version): (PluginName, PluginVersion) = (params.get("plugin")?, params.get("version")?);
    let found = usable(&*api.host.store, &space, &name).await?.into_iter().find(|plugin| plugin.version == version);
    let plugin = found.ok_or_else(|| Error::not_found("plugin", format!("{name} {version}")))?;
    Ok(Json(plugin.into()))
}
