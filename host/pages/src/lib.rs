//! The pages for people, served by the host itself at `/`.
//!
//! The pages are a client of the API in the same process ([`client`]): what a page shows comes from the same handlers, with
//! the role of the caller's key, and what a form does is a request of the API ([`act`]). So a page can show no more, and do
//! no more, than the key that its reader signed in with, and each page tells how the API does the same.
//!
//! | module | what it is |
//! |---|---|
//! | [`session`] | signing in with an API key, the cookie, and what keeps other origins out |
//! | [`client`] | requests of the API from within |
//! | [`page`] | what all pages share: who reads, which space, layout, errors |
//! | [`act`] | forms that change something |
//! | [`address`] | parts of paths and queries |
//! | [`assets`] | styles, scripts and icons, carried in the program |
//! | [`show`], [`pretty`], [`chart`] | times, numbers, sizes, JSON as people read them; charts |
//! | [`routes`] | one module for each page |
//!
//! Pages are rendered on the server and can be read without scripts. Scripts, where there are any, make them live and
//! convenient. Nothing is loaded from another origin, and the content security policy permits nothing inline.

#![forbid(unsafe_code)]

mod act;
mod address;
mod assets;
mod chart;
mod client;
mod page;
mod pretty;
mod routes;
mod session;
mod show;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hookmill_server::host::Host;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use self::page::PageError;
use self::session::Sessions;

/// State shared by all pages. Clones refer to the same state.
#[derive(Clone)]
pub(crate) struct Pages {
    /// The API, in which requests of a session carry its key.
    api: Router,
    sessions: Arc<Sessions>,
    host: Arc<Host>,
}

/// What a page may load: its own origin's styles, scripts and images; nothing inline, and no other page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Adds the pages to the router of a host's API.
pub fn router(host: Arc<Host>, api: Router) -> Router {
    let sessions = Arc::new(Sessions::default());
    let pages = Pages { api, sessions, host };
    let with_session = from_fn_with_state(pages.clone(), session::of_request);
    let shown = routes::paths().merge(session::paths()).merge(act::paths());
    Router::new()
        .merge(shown.layer(map_response(protected)))
        .route("/assets/{file}", get(assets::get))
        .fallback(other)
        .layer(with_session)
        .with_state(pages)
}

/// Serves the API and the pages on `listener` and runs the host's loops until `shutdown`.
///
/// # Errors
/// If the store or the listener fails, or a loop ends.
pub async fn run(host: Arc<Host>, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let api = hookmill_api::router(Arc::clone(&host)).await?;
    let router = router(Arc::clone(&host), api);
    hookmill_api::run(host, router, listener, shutdown).await
}

/// Answers what is no page: the API does, unless a browser asks for a page that does not exist.
async fn other(State(pages): State<Pages>, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/s/") || path == "/spaces" {
        return protected(PageError::not_found("This page does not exist.").into_response()).await;
    }
    let mut api = pages.api;
    let Ok(response) = api.call(request).await;
    response
}

/// Sets the headers that protect a page.
async fn protected(mut response: Response) -> Response {
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
