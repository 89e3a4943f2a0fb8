//! The HTTP API, with one file for each resource.
//!
//! A request is authorized by its key ([`http::access`]), read ([`http::extract`], [`http::json`]) and handled by its
//! resource; errors are rendered as problem details ([`http::problem`]). [`http::openapi`] builds the API description from
//! the same handlers.
//!
//! Handlers that write run in a separate task ([`unbroken`](hookmill_server::task::unbroken)): a caller that disconnects after a
//! commit must not prevent the update of what is kept in memory.

#![forbid(unsafe_code)]

pub(crate) mod http;
pub(crate) mod resources;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use hookmill_store::StoreError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::http::access::Access;
pub use self::http::access::SignedIn;
use self::http::memory::ResponseMemory;
use self::http::{openapi, problem};
use self::resources::{
    counts, deliveries, erasures, event_types, events, find, keys, matches, overview, plugins, profiles, pull, quotas,
    replays, sent_body, sign, spaces, status, subscriptions, test_notification,
};
use hookmill_server::config::AcceptConfig;
use hookmill_server::host::Host;
pub(crate) use hookmill_server::texts::{check_description, check_name};

/// State shared by all handlers. Clones refer to the same state.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) host: Arc<Host>,
    pub(crate) access: Arc<Access>,
    pub(crate) readiness: Arc<status::Readiness>,
    pub(crate) memory: Arc<ResponseMemory>,
}

/// Returns the router of a host's API.
///
/// It loads keys and spaces from the store and keeps them in memory from then on. Other writers of keys, such as
/// [`first_admin_key`](hookmill_server::keys::first_admin_key), have to run before.
///
/// # Errors
/// If the store fails.
pub async fn router(host: Arc<Host>) -> Result<Router, StoreError> {
    let access = Arc::new(Access::load(&*host.store).await?);
    let (router, described) = routes();
    let document = Bytes::from(openapi::complete(&described).to_string());
    Ok(router
        .route("/v1/openapi.json", get(move || async { ([(CONTENT_TYPE, "application/json")], document) }))
        .fallback(problem::route_unknown)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(map_response(not_stored))
        .with_state(Api { host, access, readiness: Arc::default(), memory: Arc::default() }))
}

/// Serves `router`, which contains the API, on `listener` and runs the host's loops until `shutdown`; then stops accepting,
/// finishes what is in flight and hands the rest back to its rows.
///
/// # Errors
/// If the listener fails, or a loop ends.
pub async fn run(
    host: Arc<Host>,
    router: Router,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let accept = host.config.accept.clone();
    let serve = serve(listener, router, &accept, shutdown.clone());
    hookmill_server::run(host, serve, shutdown).await
}

/// Serves the API alone, until `shutdown`; then stops accepting and waits for the requests that are being handled.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: &AcceptConfig,
    shutdown: CancellationToken,
) -> io::Result<()> {
    http::serve::serve(listener, router, config, shutdown).await
}

/// Keeps responses out of caches: many hold secrets, and each is for the caller that has its key.
async fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns the API description (OpenAPI 3.1), the same for every host.
pub fn document() -> serde_json::Value {
    openapi::complete(&routes().1)
}

/// The routes of all resources, and what their handlers contribute to the API description.
fn routes() -> (Router<Api>, OpenApi) {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .merge(spaces::paths())
        .merge(test_notification::paths())
        .merge(quotas::paths())
        .merge(keys::paths())
        .merge(event_types::paths())
        .merge(profiles::paths())
        .merge(subscriptions::paths())
        .merge(plugins::paths())
        .merge(pull::paths())
        .merge(events::paths())
        .merge(deliveries::paths())
        .merge(sent_body::paths())
        .merge(sign::paths())
        .merge(erasures::paths())
        .merge(replays::paths())
        .merge(counts::paths())
        .merge(overview::paths())
        .merge(find::paths())
        .merge(matches::paths())
        .merge(status::paths())
        .split_for_parts()
}
