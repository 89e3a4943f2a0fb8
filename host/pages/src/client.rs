//! Requests of the API from within, with the key of a session.

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use hookmill_api::SignedIn;
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tower_service::Service as _;

/// The most bytes of a response that are read: the largest is a page of a listing, which the API bounds far below.
const RESPONSE_BYTES_MAX: usize = 64 << 20;

/// A client of the API for one page.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    api: Router,
    signed_in: Option<SignedIn>,
    /// What was asked so far, in order.
    pub(crate) calls: Vec<Call>,
}

/// A request, as a person would make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The method.
    pub(crate) method: Method,
    /// The path with its query.
    pub(crate) path: String,
    /// The body, if there is one.
    pub(crate) body: Option<String>,
}

/// Why the API did not do what it was asked: problem details (RFC 9457).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: u16,
    /// What is wrong and what is right.
    pub(crate) detail: String,
    /// JSON pointer to the invalid member of the body.
    #[serde(default)]
    pub(crate) field: Option<String>,
}

impl Client {
    /// Makes a client with the key of a session; without one it may ask what needs none.
    pub(crate) fn new(api: Router, signed_in: Option<SignedIn>) -> Self {
        Self { api, signed_in, calls: Vec::new() }
    }

    /// Returns the key of this text, if it is one, as the API describes it.
    pub(crate) async fn with_key<T: DeserializeOwned>(&self, key: &str) -> Result<T, Problem> {
        let request = Request::get("/v1/key").header(AUTHORIZATION, format!("Bearer {key}")).body(Body::empty());
        let unknown = || Problem { status: 401, ..unreadable("unknown key") };
        let (status, body) = self.send(request.map_err(|_| unknown())?).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| unknown());
        }
        Err(serde_json::from_slice(&body).unwrap_or_else(|_| unknown()))
    }

    /// Returns what is at a path.
    pub(crate) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Problem> {
        self.call(Method::GET, path, None).await
    }

    /// Makes a request and parses the response; an empty one is `null`.
    pub(crate) async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<T, Problem> {
        self.calls.push(Call { method: method.clone(), path: path.to_owned(), body: body.clone() });
        let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        let request = request.body(body.map_or_else(Body::empty, Body::from));
        let mut request = request.map_err(|_| unreadable("this page's address is not valid"))?;
        if let Some(signed_in) = self.signed_in {
            request.extensions_mut().insert(signed_in);
        }
        let (status, body) = self.send(request).await?;
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        if status.is_success() {
            return serde_json::from_slice(body).map_err(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, path, "a page does not understand the API");
                unreadable("the response of the API could not be read")
            });
        }
        Err(serde_json::from_slice(body).unwrap_or_else(|_| Problem {
            status: status.as_u16(),
            ..unreadable(status.canonical_reason().unwrap_or("the request failed"))
        }))
    }

    async fn send(&self, request: Request<Body>) -> Result<(StatusCode, Bytes), Problem> {
        let mut api = self.api.clone();
        let Ok(response) = api.call(request).await;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await;
        let body = body.map_err(|_| unreadable("the response of the API is too large for a page"))?;
        Ok((parts.status, body.to_bytes()))
    }
}

fn unreadable(detail: &str) -> Problem {
    Problem { status: 500, detail: detail.to_owned(), field: None }
}

impl Call {
    /// Returns the request as a command line, with the key in `$HOOKMILL_KEY`.
    pub(crate) fn curl(&self, base: &str) -> String {
        let method = if self.method == Method::GET { String::new() } else { format!(" -X {}", self.method) };
        let body = self.body.as_ref().map_or(String::new(), |body| {
            format!(" \\\n  -H 'Content-Type: application/json' -d '{}'", body.replace('\'', r"'\''"))
        });
        let url = format!("{base}{}", self.path).replace('\'', "%27");
        format!("curl{method} -H \"Authorization: Bearer $HOOKMILL_KEY\" '{url}'{body}")
    }
}
