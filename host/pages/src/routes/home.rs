//! The first page: the spaces, for an administrator; for all others their space.

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;

use crate::Pages;
use crate::page::{List, Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/", get(home)).route("/spaces", get(spaces))
}

#[derive(Deserialize)]
struct Space {
    id: String,
    name: String,
    keep_days: u32,
    created_at: Timestamp,
}

#[derive(askama::Template)]
#[template(path = "spaces.html")]
struct Spaces {
    page: Page,
    list: List<Space>,
}

async fn home(mut page: Page) -> Result<Response, PageError> {
    if let Some(space) = &page.key.space {
        return Ok(Redirect::to(&format!("/s/{space}")).into_response());
    }
    let list: List<Space> = page.get("/v1/spaces?limit=2").await?;
    let to = match &list.data[..] {
        [only] => format!("/s/{}", only.id),
        _ => "/spaces".to_owned(),
    };
    Ok(Redirect::to(&to).into_response())
}

async fn spaces(mut page: Page) -> Result<Response, PageError> {
    let query = page.address.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
    let list = page.get(&format!("/v1/spaces{query}")).await?;
    Ok(html(&Spaces { page, list })?.into_response())
}
