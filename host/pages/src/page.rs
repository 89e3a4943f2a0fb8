//! What all pages share: who reads, which space, the layout, errors.

use askama::Template;
use axum::Extension;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Pages;
use crate::address::{query, replaced};
use crate::client::{Client, Problem};
use crate::session::Current;

/// The page of a request: its reader, its space, and what it asked the API.
#[derive(Debug)]
pub(crate) struct Page {
    client: Client,
    /// The path and query of the request.
    pub(crate) address: String,
    /// The reader's key.
    pub(crate) key: OwnKey,
    /// The space in the path; empty if there is none.
    pub(crate) space: String,
    /// The host's time.
    pub(crate) now: Timestamp,
    /// The origin that the reader's browser uses, such as `http://127.0.0.1:8470`.
    pub(crate) base: String,
    /// What the page says first: the result of the form before.
    pub(crate) notice: Option<String>,
}

/// A page of one of the API's lists.
#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    /// The entries.
    pub(crate) data: Vec<T>,
    /// The cursor of the next page, if there is one.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { data: Vec::new(), next_cursor: None }
    }
}

/// The key that a reader signed in with.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OwnKey {
    /// Display name.
    pub(crate) name: String,
    /// Its role: `admin`, `manage`, `read` or `produce`.
    pub(crate) role: String,
    /// The space that it belongs to; none for an admin's.
    pub(crate) space: Option<String>,
}

impl Page {
    /// Returns whether the reader may change things, so that the page shows forms.
    pub(crate) fn may_change(&self) -> bool {
        matches!(self.key.role.as_str(), "admin" | "manage")
    }

    /// Returns whether the reader administers the host.
    pub(crate) fn is_admin(&self) -> bool {
        self.key.role == "admin"
    }

    /// Returns what is at a path of the API.
    pub(crate) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, PageError> {
        Ok(self.client.get(path).await?)
    }

    /// Returns what is at a path below the space: `subscriptions`, `deliveries?state=failed`.
    pub(crate) async fn in_space<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, PageError> {
        let path = format!("/v1/spaces/{}/{path}", self.space);
        self.get(&path).await
    }

    /// Returns what [`in_space`](Self::in_space) does, for a detail that the page's command lines leave out.
    pub(crate) async fn aside<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, PageError> {
        let found = self.in_space(path).await;
        self.client.calls.pop();
        found
    }

    /// Returns what a search below the space finds; if the API refuses it, nothing, and what is wrong with the search.
    pub(crate) async fn search<T>(&mut self, path: &str) -> Result<(T, Option<String>), PageError>
    where
        T: DeserializeOwned + Default,
    {
        match self.in_space(path).await {
            Ok(found) => Ok((found, None)),
            Err(PageError::Shown { status, detail }) if status.is_client_error() => Ok((T::default(), Some(detail))),
            Err(error) => Err(error),
        }
    }

    /// Asks the API to do something below the space, as a page that shows the result of a dry run does.
    pub(crate) async fn post<T: DeserializeOwned>(&mut self, path: &str, body: String) -> Result<T, Problem> {
        let path = format!("/v1/spaces/{}/{path}", self.space);
        self.client.call(Method::POST, &path, Some(body)).await
    }

    /// Returns the address of a page of the space: `subscriptions`, or the overview for "".
    pub(crate) fn at(&self, page: &str) -> String {
        let slash = if page.is_empty() { "" } else { "/" };
        format!("/s/{}{slash}{page}", self.space)
    }

    /// Returns this page's address with another value of a query parameter, or without it if the value is empty.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        replaced(&self.address, name, value)
    }

    /// Returns whether a page of the space is shown, or one below it.
    pub(crate) fn is_at(&self, page: &str) -> bool {
        let path = self.address.split('?').next().unwrap_or_default();
        let at = self.at(page);
        path == at || (!page.is_empty() && path.strip_prefix(&at).is_some_and(|rest| rest.starts_with('/')))
    }

    /// Returns what this page asked the API, as command lines.
    pub(crate) fn curl(&self) -> Vec<String> {
        let calls = self.client.calls.iter().filter(|call| call.path != "/v1/key");
        calls.map(|call| call.curl(&self.base)).collect()
    }
}

/// Makes an axum response of a template.
pub(crate) fn html(template: &impl Template) -> Result<Html<String>, PageError> {
    template.render().map(Html).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a page could not be rendered");
        PageError::Shown { status: StatusCode::INTERNAL_SERVER_ERROR, detail: "The page could not be made.".to_owned() }
    })
}

impl FromRequestParts<Pages> for Page {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, PageError> {
        let address = parts.uri.path_and_query().map_or("/", |address| address.as_str()).to_owned();
        let sign_in = || PageError::SignIn { next: address.clone() };
        let Extension(current) = Extension::<Current>::from_request_parts(parts, pages).await.map_err(|_| sign_in())?;
        let mut client = Client::new(pages.api.clone(), Some(current.signed_in));
        let key: OwnKey = client.get("/v1/key").await.map_err(|problem| match problem.status {
            401 => sign_in(),
            _ => problem.into(),
        })?;
        let params = RawPathParams::from_request_parts(parts, pages).await.ok();
        let space = params.iter().flatten().find(|(name, _)| *name == "space").map(|(_, space)| space.to_owned());
        let space = space.unwrap_or_default();
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let base =
            format!("{}://{}", header("x-forwarded-proto").unwrap_or("http"), header("host").unwrap_or("localhost"));
        // A script that fetches the page to update it must not take what the reader has not seen.
        let notice = if header("x-swap").is_some() { None } else { pages.sessions.take_notice(current) };
        let page = Self { client, address, key, space, now: pages.host.clock.now(), base, notice };
        match &page.key.space {
            Some(own) if !page.space.is_empty() && *own != page.space => Err(no_space(&page.space)),
            _ => Ok(page),
        }
    }
}

fn no_space(space: &str) -> PageError {
    PageError::not_found(&format!("There is no space “{space}” that your key may read."))
}

/// Why a page is not shown.
#[derive(Debug)]
pub(crate) enum PageError {
    /// The reader has to sign in first, and then sees this page.
    SignIn {
        /// The page.
        next: String,
    },
    /// Anything else.
    Shown {
        /// The status of the response.
        status: StatusCode,
        /// What happened and what to do, as a sentence.
        detail: String,
    },
}

impl PageError {
    /// What is not there.
    pub(crate) fn not_found(detail: &str) -> Self {
        Self::Shown { status: StatusCode::NOT_FOUND, detail: detail.to_owned() }
    }
}

impl From<Problem> for PageError {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut detail = problem.detail;
        if let Some(field) = problem.field {
            detail = format!("{field}: {detail}");
        }
        Self::Shown { status, detail }
    }
}

/// The page of an error. It asks nothing of the store, which may be what failed.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    title: &'a str,
    detail: &'a str,
    what_to_do: &'a str,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::SignIn { next } => {
                return Redirect::to(&format!("/sign-in?{}", query([("next", next.as_str())]))).into_response();
            }
            Self::Shown { status, detail } => (status, detail),
        };
        let (title, what_to_do) = match status.as_u16() {
            403 => ("Not permitted", "Sign in with a key that has the role for it."),
            404 => ("Not found", "Check the address, or look for it in the box at the top of a page."),
            400 | 409 | 422 => ("This was not done", "Go back, correct it and try again. Nothing was changed."),
            429 => ("Too many requests", "Wait a moment, then reload the page."),
            503 => (
                "The host cannot serve this now",
                "It is starting, stopping, or its disk does not respond: /readyz says which. Nothing that was accepted is \
                    lost. Reload the page in a moment.",
            ),
            _ => ("Something went wrong", "The host's log says what. Nothing that was accepted is lost."),
        };
        let page = ErrorPage { title, detail: &detail, what_to_do };
        match page.render() {
            Ok(page) => (status, Html(page)).into_response(),
            Err(_) => (status, detail).into_response(),
        }
    }
}
