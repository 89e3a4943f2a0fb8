//! Workflows, as Livespace calls subscriptions with a trigger: when a field changes, if a condition holds, then a request is sent.

use axum::Router;
use axum::extract::Query;
use axum::response::Html;
use axum::routing::get;
use serde::Deserialize;
use url::form_urlencoded;

use super::subscriptions::List;
use crate::Pages;
use crate::page::{Page, PageError, html};

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
    list: List,
}

async fn workflows(mut page: Page, Query(Filters { q, cursor }): Query<Filters>) -> Result<Html<String>, PageError> {
    let query = query(&q, &cursor);
    let list = page.in_space(&query).await?;
    html(&View { page, q, list })
}

fn query(q: &str, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new("subscriptions?triggered=true&sort=name&limit=50".to_owned());
    query.extend_pairs([("q", q), ("cursor", cursor)].into_iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}
