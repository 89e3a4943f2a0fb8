//! Workflows, as Livespace calls subscriptions with a trigger: when a field changes, if a condition holds, then a request is sent.

use axum::Router;
use axum::extract::Query;
use axum::response::Html;
use axum::routing::get;
use serde::Deserialize;

use super::subscriptions::Row;
use crate::Pages;
use crate::address::query;
use crate::page::{List, Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}/workflows", get(workflows))
}

#[derive(Deserialize)]
struct Filters {
    #[serde(default)]
    q: String,
    #[serde(default)]
    cursor: String,
}

#[derive(askama::Template)]
#[template(path = "workflows.html")]
struct View {
    page: Page,
    q: String,
    list: List<Row>,
}

async fn workflows(mut page: Page, Query(Filters { q, cursor }): Query<Filters>) -> Result<Html<String>, PageError> {
    let filters = [("triggered", "true"), ("sort", "name"), ("limit", "50"), ("q", &q), ("cursor", &cursor)];
    let list = page.in_space(&format!("subscriptions?{}", query(filters))).await?;
    html(&View { page, q, list })
}
