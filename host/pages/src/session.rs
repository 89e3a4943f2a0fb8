//! Signing in: an API key is exchanged for a cookie, which only this origin's pages send.
//!
//! A session lives in memory: it ends after [`IDLE`] without a request, after [`LIFE`] in any case, when its key is deleted,
//! when its reader signs out, and when the host restarts. The cookie is unreadable for scripts (`HttpOnly`), is not sent with
//! requests from other sites (`SameSite=Strict`), and its hash is all that the host keeps. In addition, a request with it that
//! may change something must come from this origin by what the browser itself says (`Sec-Fetch-Site`, else `Origin`).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::{Form, Query, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hookmill_api::SignedIn;
use hookmill_model::KeyId;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::Pages;
use crate::client::{Client, Problem};
use crate::page::{PageError, html};

/// How long a session lives without a request.
const IDLE: SignedDuration = SignedDuration::from_hours(2);

/// How long a session lives at most: a working day.
const LIFE: SignedDuration = SignedDuration::from_hours(12);

/// The most sessions; beyond, the one that was not used for longest ends. Each takes about 200 bytes.
const SESSIONS_MAX: usize = 10_000;

const NAME: &str = "hookmill_session";

/// The sessions, by the hash of what their cookie says.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

#[derive(Clone, Debug)]
struct Session {
    key: KeyId,
    began_at: Timestamp,
    used_at: Timestamp,
    /// What the next page says first: the result of a form.
    notice: Option<String>,
}

/// A request's session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Current {
    hash: [u8; 32],
    /// Its key.
    pub(crate) signed_in: SignedIn,
}

impl Sessions {
    /// Begins a session; returns what its cookie says.
    fn begin(&self, key: KeyId, now: Timestamp) -> String {
        let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| session.lives(now));
        }
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.used_at).map(|(hash, _)| *hash)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(hash(&token), Session { key, began_at: now, used_at: now, notice: None });
        token
    }

    /// Returns the session that a cookie belongs to, and takes note of its use.
    fn find(&self, token: &str, now: Timestamp) -> Option<Current> {
        let hash = hash(token);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get_mut(&hash)?;
        if !session.lives(now) {
            sessions.remove(&hash);
            return None;
        }
        session.used_at = now;
        Some(Current { hash, signed_in: SignedIn(session.key) })
    }

    fn end(&self, current: Current) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&current.hash);
    }

    /// Ends all sessions of a key.
    fn end_all(&self, SignedIn(key): SignedIn) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, session| session.key != key);
    }

    /// Sets what the session's next page says first.
    pub(crate) fn notify(&self, current: Current, notice: String) {
        if let Some(session) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&current.hash) {
            session.notice = Some(notice);
        }
    }

    /// Takes what this page says first.
    pub(crate) fn take_notice(&self, current: Current) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&current.hash)?.notice.take()
    }
}

impl Session {
    fn lives(&self, now: Timestamp) -> bool {
        now.duration_since(self.used_at) < IDLE && now.duration_since(self.began_at) < LIFE
    }
}

/// The hash by which a session is found: whoever reads the host's memory cannot make the cookie from it.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Finds the session of a request, for pages and for requests of the API that a page's script makes. A request with a key of
/// its own is none of a session's.
pub(crate) async fn of_request(State(pages): State<Pages>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let token = if headers.contains_key(AUTHORIZATION) { None } else { cookie(headers) };
    let current = token.and_then(|token| pages.sessions.find(token, pages.host.clock.now()));
    if let Some(current) = current {
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
        if changes && !is_own_origin(headers) {
            let detail = "the request comes from another site: use the pages of this host, or an API key";
            return (StatusCode::FORBIDDEN, detail).into_response();
        }
        request.extensions_mut().insert(current);
        request.extensions_mut().insert(current.signed_in);
    }
    next.run(request).await
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == NAME).then_some(value)
    })
}

/// Returns whether the browser says that a page of this origin made the request. Browsers of before 2023 send no
/// `Sec-Fetch-Site`, but the origin with every request that may change something.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let (origin, host) = (text(ORIGIN.as_str()), text(HOST.as_str()));
    origin.and_then(|origin| origin.split_once("://")).is_some_and(|(_, origin)| Some(origin) == host)
}

/// The pages of signing in and out.
pub(crate) fn paths() -> Router<Pages> {
    Router::new()
        .route("/sign-in", get(show).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/sign-out-everywhere", post(sign_out_everywhere))
}

/// The page to sign in.
#[derive(askama::Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    next: &'a str,
    problem: Option<&'a str>,
}

#[derive(Deserialize)]
struct AfterSignIn {
    #[serde(default)]
    next: String,
}

async fn show(
    current: Option<Extension<Current>>,
    Query(AfterSignIn { next }): Query<AfterSignIn>,
) -> Result<Response, PageError> {
    if current.is_some() {
        return Ok(Redirect::to(local(&next)).into_response());
    }
    Ok(html(&SignIn { next: local(&next), problem: None })?.into_response())
}

#[derive(Deserialize)]
struct Credentials {
    key: String,
    #[serde(default)]
    next: String,
}

/// The key of a request, by the API.
#[derive(Deserialize)]
struct OwnKey {
    id: KeyId,
}

async fn sign_in(
    State(pages): State<Pages>,
    headers: HeaderMap,
    Form(Credentials { key, next }): Form<Credentials>,
) -> Result<Response, PageError> {
    let next = local(&next);
    // Another site must not sign its visitor in under a key of its own.
    if !is_own_origin(&headers) {
        return Ok((StatusCode::FORBIDDEN, "the request comes from another site").into_response());
    }
    match own_key(&pages, key.trim()).await {
        Ok(OwnKey { id }) => {
            let token = pages.sessions.begin(id, pages.host.clock.now());
            let secure = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
            let secure = if secure { "; Secure" } else { "" };
            let cookie = format!("{NAME}={token}; Path=/; HttpOnly; SameSite=Strict{secure}");
            Ok(([(SET_COOKIE, cookie)], Redirect::to(next)).into_response())
        }
        Err(Problem { status: 401, .. }) => {
            let problem = Some("This is not a key of this host. A key begins with hmk_ and has two parts after it.");
            let page: Html<String> = html(&SignIn { next, problem })?;
            Ok((StatusCode::UNAUTHORIZED, page).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

/// Asks the API whose key this is.
async fn own_key(pages: &Pages, key: &str) -> Result<OwnKey, Problem> {
    Client::new(pages.api.clone(), None).with_key(key).await
}

async fn sign_out(State(pages): State<Pages>, current: Option<Extension<Current>>) -> Response {
    if let Some(Extension(current)) = current {
        pages.sessions.end(current);
    }
    signed_out()
}

async fn sign_out_everywhere(State(pages): State<Pages>, current: Option<Extension<Current>>) -> Response {
    if let Some(Extension(current)) = current {
        pages.sessions.end_all(current.signed_in);
    }
    signed_out()
}

fn signed_out() -> Response {
    let cookie = HeaderValue::from_static("hookmill_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    ([(SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response()
}

/// Returns the address of a page of this host; anything else becomes the first page, since a link must not lead elsewhere.
pub(crate) fn local(next: &str) -> &str {
    let is_local = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if is_local { next } else { "/" }
}
