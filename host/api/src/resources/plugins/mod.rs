//! Plugins: uploading, listing, previewing and deleting them.
//!
//! A space's own plugin hides a bundled one with the same name, including all its versions.

mod delete;
mod preview_plugin;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use hookmill_model::{Digest, Plugin, PluginName, PluginVersion, SpaceId};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::overview::millis;
use crate::Api;
use crate::http::access::{Manages, Reads};
use crate::http::extract::{self, PathParams, Query};
use crate::http::memory::LARGE_BYTES;
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use hookmill_server::error::Error;
use hookmill_server::plugins::admit::{self, Candidate};
use hookmill_server::plugins::versions::{hide_bundled, newest, usable};
use hookmill_server::recent::PluginFigures;

/// Header of an upload with the component's signature.
const SIGNATURE: &str = "hookmill-plugin-signature";

/// A page of plugins.
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
    /// Name of the plugin.
    #[schema(value_type = String)]
    name: PluginName,
    /// Version of the plugin.
    #[schema(value_type = String)]
    version: PluginVersion,
    /// SHA-256 digest of the component.
    #[schema(value_type = String)]
    digest: Digest,
    /// True for a plugin that is bundled with the host and available in every space.
    bundled: bool,
    /// One-line summary.
    summary: String,
    /// Content types of the bodies that it produces.
    content_types: Vec<String>,
    /// JSON Schema of its configuration.
    config_schema: Value,
    /// Size of the component, in bytes.
    size_bytes: u64,
    /// Reference by digest that it was pulled from, or file that it was loaded from; null if it was uploaded or is
    /// bundled.
    #[schema(required)]
    source: Option<String>,
    /// Time at which the plugin was added.
    created_at: Timestamp,
    /// Use of this version in the space; in the list of plugins, of all versions.
    usage: UsageView,
}

/// Use of a plugin in a space. What ran is counted since the host started, at most.
#[derive(Serialize, ToSchema)]
#[schema(as = PluginUsage)]
struct UsageView {
    /// Number of subscriptions that have it as their plugin.
    subscriptions: usize,
    /// Number of transforms in the last 15 minutes.
    transforms: u64,
    /// Number of those that failed.
    failures: u64,
    /// Milliseconds that 95 % of them did not exceed, within 6 %; null if none ran.
    #[schema(required)]
    p95_ms: Option<f64>,
    /// Fuel that 95 % of them did not exceed, within 6 %; null if none ran.
    #[schema(required)]
    p95_fuel: Option<u64>,
    /// Lowest limit on fuel that one of them had; without any, that for an empty input.
    fuel_limit: u64,
}

impl PluginView {
    fn new(plugin: Plugin, usage: UsageView) -> Self {
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
        Self {
            name,
            version,
            digest,
            bundled,
            summary,
            content_types,
            config_schema,
            size_bytes,
            source,
            created_at,
            usage,
        }
    }

    /// Returns the view of one version.
    fn of(api: &Api, space: &SpaceId, plugin: Plugin) -> Self {
        let usage = usages(api, space, &[vec![plugin.digest]]).pop();
        Self::new(plugin, usage.expect("there is one group"))
    }
}

/// Returns the use of groups of versions, which are given by the digests of their components.
fn usages(api: &Api, space: &SpaceId, groups: &[Vec<Digest>]) -> Vec<UsageView> {
    let users = api.host.registry.plugin_users(space);
    let figures = api.host.recent.plugins(space, groups, api.host.clock.now());
    let usage = |(digests, figures): (&Vec<Digest>, PluginFigures)| UsageView {
        subscriptions: digests.iter().filter_map(|digest| users.get(digest)).sum(),
        transforms: figures.transforms,
        failures: figures.failures,
        p95_ms: figures.p95_us.map(millis),
        p95_fuel: figures.p95_fuel,
        fuel_limit: figures.fuel_limit.unwrap_or(api.host.config.plugin.fuel_base),
    };
    groups.iter().zip(figures).map(usage).collect()
}

/// A WebAssembly component.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "used in the API description alone")]
struct ComponentBytes(Vec<u8>);

/// Uploads a plugin.
///
/// The body is a WebAssembly component that exports `hookmill:plugin/transformer` and states its name and version.
/// Versions are immutable: a different component with the same name and version is refused; the same component returns
/// 200. If the version is the newest in a range that subscriptions follow, they use it as soon as this request returns,
/// provided that their configuration conforms to its schema. If the space has `plugin_keys`, the header
/// `hookmill-plugin-signature` is required.
#[utoipa::path(post, path = "/v1/spaces/{space}/plugins", tag = "plugins",
    params(("hookmill-plugin-signature" = Option<String>, Header, nullable = false,
        description = "Ed25519 signature over the text of the component's digest, in base64")),
    request_body(content = inline(ComponentBytes), content_type = "application/wasm"),
    responses(
        (status = 201, body = PluginView, description = "The plugin version is new"),
        (status = 200, body = PluginView, description = "The same plugin version already existed"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "plugin_version_exists")))]
async fn upload_plugin(
    Manages(space): Manages,
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<PluginView>), Problem> {
    extract::media_type(request.headers(), &["application/wasm"])?;
    let signature =
        request.headers().get(SIGNATURE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let component = extract::read(request, api.host.config.plugin.component_bytes_max, "the component").await?;
    Ok(admitted(&api, &space, Candidate { component, signature, source: None }).await?)
}

/// Admits a component to the space and returns the plugin.
pub(super) async fn admitted(
    api: &Api,
    space: &SpaceId,
    candidate: Candidate,
) -> Result<(StatusCode, Json<PluginView>), Error> {
    let (is_new, plugin) = admit::into_space(&api.host, space, candidate).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(PluginView::of(api, space, plugin))))
}

/// Lists the plugins that the space can use.
///
/// Includes the space's own and bundled plugins, sorted by name, each in its newest version.
#[utoipa::path(get, path = "/v1/spaces/{space}/plugins", tag = "plugins", params(PageQuery),
    responses((status = 200, body = PluginPage)))]
async fn list_plugins(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let memory = api.memory.take(&space, LARGE_BYTES).await;
    let mut all = api.host.store.plugins(&space, None).await?;
    hide_bundled(&mut all);
    let (mut plugins, mut groups) = (Vec::new(), Vec::new());
    for versions in all.chunk_by(|a, b| a.name == b.name) {
        plugins.extend(newest(versions).cloned());
        groups.push(versions.iter().map(|plugin| plugin.digest).collect());
    }
    let entries: Vec<_> = plugins.into_iter().zip(usages(&api, &space, &groups)).collect();
    let view = |(plugin, usage)| PluginView::new(plugin, usage);
    Ok(memory.json(&PluginPage::of(entries, &query, |(plugin, _)| plugin.name.clone(), view)?)?)
}

/// Lists the versions of a plugin, newest first.
///
/// A plugin of the space hides a bundled one with the same name, including all its versions.
#[utoipa::path(get, path = "/v1/spaces/{space}/plugins/{plugin}", tag = "plugins", params(PageQuery),
    responses((status = 200, body = PluginPage)))]
async fn list_plugin_versions(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let name = params.get("plugin")?;
    let memory = api.memory.take(&space, LARGE_BYTES).await;
    let versions = usable(&*api.host.store, &space, &name).await?;
    if versions.is_empty() {
        return Err(Error::not_found("plugin", name).into());
    }
    let groups: Vec<_> = versions.iter().map(|plugin| vec![plugin.digest]).collect();
    let entries: Vec<_> = versions.into_iter().zip(usages(&api, &space, &groups)).collect();
    let view = |(plugin, usage)| PluginView::new(plugin, usage);
    Ok(memory.json(&PluginPage::of(entries, &query, |(plugin, _)| plugin.version.clone(), view)?)?)
}

/// Returns one version of a plugin.
///
/// Includes the JSON Schema of its configuration.
#[utoipa::path(get, path = "/v1/spaces/{space}/plugins/{plugin}/{version}", tag = "plugins",
    responses((status = 200, body = PluginView)))]
async fn get_plugin(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<PluginView>, Problem> {
    let (name, version): (PluginName, PluginVersion) = (params.get("plugin")?, params.get("version")?);
    let found = usable(&*api.host.store, &space, &name).await?.into_iter().find(|plugin| plugin.version == version);
    let plugin = found.ok_or_else(|| Error::not_found("plugin", format!("{name} {version}")))?;
    Ok(Json(PluginView::of(&api, &space, plugin)))
}
