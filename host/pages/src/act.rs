//! Forms that change something: each is one request of the API, made with the reader's key.
//!
//! A form has the fields `method`, `path` and `body` (JSON) of the request, `then`, the page that follows, and `done`, what
//! that page says first. A form of another site is refused before ([`session`](crate::session)).

use axum::extract::State;
use axum::http::Method;
use axum::response::Redirect;
use axum::routing::post;
use axum::{Extension, Form, Router};
use serde::Deserialize;
use serde_json::Value;

use crate::Pages;
use crate::client::{Client, Problem};
use crate::page::PageError;
use crate::session::{Current, local};

/// The path of all such forms.
pub(crate) fn paths() -> Router<Pages> {
    Router::new().route("/do", post(act))
}

#[derive(Deserialize)]
struct Act {
    method: String,
    path: String,
    #[serde(default)]
    body: String,
    then: String,
    #[serde(default)]
    done: String,
}

async fn act(
    State(pages): State<Pages>,
    current: Option<Extension<Current>>,
    Form(Act { method, path, body, then, done }): Form<Act>,
) -> Result<Redirect, PageError> {
    let then = local(&then);
    let Some(Extension(current)) = current else { return Err(PageError::SignIn { next: then.to_owned() }) };
    let method = method.parse::<Method>().ok().filter(|_| path.starts_with("/v1/"));
    let method = method.ok_or_else(|| PageError::not_found("This form is of no request of the API."))?;
    let mut client = Client::new(pages.api.clone(), Some(current.signed_in));
    let body = if body.is_empty() { None } else { Some(body) };
    let result: Result<Value, Problem> = client.call(method, &path, body).await;
    result?;
    if !done.is_empty() {
        pages.sessions.notify(current, done);
    }
    Ok(Redirect::to(then))
}
