//! What the box at the top of each page finds: one hit is shown at once, several are listed.

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::Pages;
use crate::address::{parameter, query};
use crate::page::{Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}/find", get(find))
}

#[derive(Default, Deserialize)]
struct Found {
    found: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    kind: String,
    id: String,
    label: String,
    path: String,
}

impl Hit {
    /// Returns the address of its page. The pages' paths below a space are those of the API, with three exceptions.
    fn address(&self, page: &Page) -> String {
        let below = self.path.strip_prefix(&format!("/v1/spaces/{}", page.space)).unwrap_or_default();
        let below = below.trim_start_matches('/');
        match self.kind.as_str() {
            "event_type" => page.at(&format!("history?{}", query([("event_type", self.id.as_str())]))),
            "replay" => page.at(&below.replacen("subscriptions/", "replays/", 1).replacen("/replays/", "/", 1)),
            _ => page.at(below),
        }
    }

    fn kind(&self) -> &str {
        if self.kind == "event_type" { "event type" } else { &self.kind }
    }
}

#[derive(askama::Template)]
#[template(path = "find.html")]
struct View {
    page: Page,
    text: String,
    found: Vec<Hit>,
    problem: Option<String>,
}

async fn find(mut page: Page) -> Result<Response, PageError> {
    let text = parameter(&page.address, "q");
    let wanted = query([("q", text.as_str())]);
    let (Found { found }, problem) = match text.is_empty() {
        true => (Found::default(), None),
        false => page.search(&format!("find?{wanted}")).await?,
    };
    if let [only] = &found[..] {
        return Ok(Redirect::to(&only.address(&page)).into_response());
    }
    Ok(html(&View { page, text, found, problem })?.into_response())
}
