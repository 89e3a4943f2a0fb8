//! Accept: the HTTP API. One file for each resource.
//!
//! A request is let in by its key ([`access`]), read ([`extract`], [`json`]) and served by its resource; whatever goes
//! wrong is a [`problem`]. [`openapi`] tells the world about all of it, made from the same handlers.
//!
//! What writes runs in a task of its own ([`unbroken`]): a caller who hangs up between a commit and what follows from
//! it in memory must not keep that from happening.

mod access;
mod attempts;
mod defaults;
mod deliveries;
mod event_types;
mod events;
mod extract;
pub mod intake;
mod json;
pub mod keys;
mod number;
mod openapi;
mod page;
mod plugins;
mod preview;
mod problem;
mod profiles;
mod pull;
mod schema;
mod spaces;
mod status;
mod subscriptions;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use crate::Host;
use crate::store::StoreError;
use access::Access;
use problem::Problem;

/// What handlers share; clones share it.
#[derive(Clone)]
struct Api {
    host: Arc<Host>,
    access: Arc<Access>,
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
    let (router, document) = OpenApiRouter::with_openapi(openapi::Document::openapi())
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
        .split_for_parts();
    let document = openapi::complete(&document).expect("the document is plain data");
    let document = Bytes::from(document.to_string());
    Ok(router
        .route("/v1/openapi.json", get(move || async { ([(CONTENT_TYPE, "application/json")], document) }))
        .fallback(problem::route_unknown)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .with_state(Api { host, access }))
}

/// Lets subscriptions use the newest versions that they follow, when a host starts: the bundled plugins may have new ones.
/// Who cannot be moved now is moved by the next upload or start.
pub async fn follow_plugins(host: &Host) {
    if let Err(problem) = plugins::follow_everywhere(host).await {
        tracing::error!(?problem, "subscriptions do not follow their plugins' versions");
    }
}

/// A plugin's configuration as a host would keep it: the defaults of the schema filled in. The error says where it does not
/// fit the schema.
pub(crate) async fn configured(
    schema: &serde_json::Value,
    config: serde_json::Value,
) -> Result<serde_json::Value, String> {
    plugins::configured_by(schema, config, "").await.map_err(|problem| problem.detail().to_owned())
}

/// Runs what must not break off in the middle to its end, whether or not the caller waits for it.
async fn unbroken<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(work).await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}

/// Checks the member `name`, which is for people.
fn check_name(name: &str) -> Result<(), Problem> {
    let ok = !name.trim().is_empty() && name.chars().count() <= 200 && !name.contains(char::is_control);
    if ok { Ok(()) } else { Err(Problem::field("/name", "a name has 1 to 200 characters, on one line")) }
}

/// Checks the member `description`, which is for people.
fn check_description(description: &str) -> Result<(), Problem> {
    let ok = description.chars().count() <= 2_000;
    if ok { Ok(()) } else { Err(Problem::field("/description", "a description has at most 2,000 characters")) }
}
