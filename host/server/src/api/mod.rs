//! Accept: the HTTP API. One file for each resource.
//!
//! A request is let in by its key ([`access`]), read ([`extract`], [`json`]) and served by its resource; whatever goes
//! wrong is a [`problem`]. [`openapi`] tells the world about all of it, made from the same handlers.
//!
//! What writes runs in a task of its own ([`unbroken`]): a caller who hangs up between a commit and what follows from
//! it in memory must not keep that from happening.

pub(crate) mod http;
pub(crate) mod resources;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use hookmill_store::StoreError;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::http::access::Access;
use self::http::{openapi, problem};
use self::resources::{deliveries, event_types, events, keys, plugins, profiles, pull, spaces, status, subscriptions};
use crate::host::Host;
pub(crate) use crate::texts::{check_description, check_name};

/// What handlers share; clones share it.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) host: Arc<Host>,
    pub(crate) access: Arc<Access>,
}

/// The whole API of a host.
///
/// Keys and spaces are read from the store here and kept in memory after: whoever else writes them to the store, such
/// as [`keys::first_admin_key`], does so before.
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
        .with_state(Api { host, access }))
}

/// Returns the API description (OpenAPI 3.1), the same for every host.
pub fn document() -> serde_json::Value {
    openapi::complete(&routes().1)
}

/// The routes of all resources, and what their handlers contribute to the API description.
fn routes() -> (Router<Api>, OpenApi) {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .merge(spaces::paths())
        .merge(keys::paths())
        .merge(event_types::paths())
        .merge(profiles::paths())
        .merge(subscriptions::paths())
        .merge(plugins::paths())
        .merge(pull::paths())
        .merge(events::paths())
        .merge(deliveries::paths())
        .merge(status::paths())
        .split_for_parts()
}
