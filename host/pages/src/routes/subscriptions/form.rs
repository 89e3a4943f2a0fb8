//! The form that makes a subscription, or changes one. What it is filled with is the API's JSON: a script of the page puts it
//! into the fields and makes a request of what a person writes.

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Pages;
use crate::address::segment;
use crate::page::{List, Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}/subscriptions/new", get(new)).route("/s/{space}/subscriptions/{id}/edit", get(edit))
}

/// What a new subscription is filled with.
#[derive(Deserialize)]
struct From {
    /// The id of a subscription to copy.
    #[serde(default)]
    from: String,
    /// Anything, if it is to have a trigger.
    #[serde(default)]
    workflow: String,
    /// The name of a plugin.
    #[serde(default)]
    plugin: String,
    /// The plugin's version, with `plugin`.
    #[serde(default)]
    version: String,
    /// The plugin's configuration as JSON, with `plugin`.
    #[serde(default)]
    config: String,
    /// An event type.
    #[serde(default)]
    event_type: String,
}

#[derive(Deserialize)]
struct Profile {
    name: String,
    title: String,
    summary: String,
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    version: String,
    summary: String,
    config_schema: Box<RawValue>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(askama::Template)]
#[template(path = "subscription_form.html")]
struct View {
    page: Page,
    /// Title of the page.
    title: String,
    /// The id of the subscription that is changed; empty for a new one.
    id: String,
    /// The subscription as JSON that fills the form.
    filled: String,
    /// Whether the trigger is shown at once.
    workflow: bool,
    profiles: Vec<Profile>,
    plugins: Vec<Plugin>,
}

/// A receiver that people often use, and what to know about it.
struct Receiver {
    name: &'static str,
    title: &'static str,
    /// The plugin that shapes for it; empty if there is none.
    plugin: &'static str,
    find: &'static str,
    does: &'static str,
}

/// In the order in which the form offers them. What they do with what is sent was measured or is documented by each.
const RECEIVERS: [Receiver; 6] = [
    Receiver {
        name: "zapier",
        title: "Zapier",
        plugin: "zapier",
        find: "In the Zap editor choose the trigger “Webhooks by Zapier”, event “Catch Hook”, and copy the URL under Test.",
        does: "Zapier responds with 200 even when the Zap is off: delivered means received, not processed. It shows no headers and \
            flattens nested data, which the plugin does for it. About 30 requests a second are accepted for each hook.",
    },
    Receiver {
        name: "make",
        title: "Make",
        plugin: "make",
        find: "Add the module “Webhooks › Custom webhook” to a scenario, create a webhook and copy its address.",
        does: "Make responds with 200 “Accepted” once a request is queued. A query parameter wins over a member of the body with the \
            same name. It takes 300 requests in 10 seconds and 5 MiB each. 410 means that the webhook is unknown or was unused for \
            five days.",
    },
    Receiver {
        name: "n8n",
        title: "n8n",
        plugin: "n8n",
        find: "Open the Webhook node of an active workflow and copy its Production URL. The Test URL contains /webhook-test/ and \
            answers for 120 seconds only.",
        does: "n8n responds with 200 before the workflow runs. Integers above 2^53 are rounded, so the plugin sends ids as text. 404 \
            means that the workflow is not active. Send application/json: other JSON types arrive empty.",
    },
    Receiver {
        name: "slack",
        title: "Slack",
        plugin: "slack",
        find: "In your Slack app open “Incoming Webhooks”, add one to a channel and copy its URL.",
        does: "Slack shows the text that the plugin makes of an event, and answers “ok”.",
    },
    Receiver {
        name: "power",
        title: "Power Automate",
        plugin: "",
        find: "Save a flow with the trigger “When a HTTP request is received”, then copy the HTTP URL from that trigger.",
        does: "It responds with 202 once the flow is queued. The URL contains its own signature: whoever has it can start the flow.",
    },
    Receiver {
        name: "own",
        title: "Your own endpoint",
        plugin: "",
        find: "Any address that takes a request by http or https.",
        does: "Respond with 2xx within the timeout, and do the work afterwards. Verify the signature with a Standard Webhooks library, \
            and expect the same event more than once: webhook-id stays the same.",
    },
];

async fn new(mut page: Page, Query(from): Query<From>) -> Result<Html<String>, PageError> {
    let workflow = !from.workflow.is_empty();
    if !from.from.is_empty() {
        let (copied, Named { name }) = subscription(&mut page, &from.from).await?;
        return form(page, format!("Copy of {name}"), String::new(), copied, workflow).await;
    }
    let config = RawValue::from_string(from.config).unwrap_or_default();
    let mut filled = serde_json::Map::new();
    if !from.plugin.is_empty() {
        let plugin = serde_json::json!({"name": from.plugin, "version": from.version, "config": config});
        filled.insert("plugin".to_owned(), plugin);
    }
    if !from.event_type.is_empty() {
        filled.insert("event_types".to_owned(), serde_json::json!([from.event_type]));
    }
    let filled = serde_json::Value::Object(filled).to_string();
    let title = if workflow { "New workflow" } else { "New subscription" };
    form(page, title.to_owned(), String::new(), filled, workflow).await
}

async fn edit(mut page: Page, Path((_, id)): Path<(String, String)>) -> Result<Html<String>, PageError> {
    let (filled, Named { name }) = subscription(&mut page, &id).await?;
    form(page, format!("Edit {name}"), id, filled, false).await
}

/// Returns a subscription as the API's JSON, and its name.
async fn subscription(page: &mut Page, id: &str) -> Result<(String, Named), PageError> {
    let raw: Box<RawValue> = page.in_space(&format!("subscriptions/{}", segment(id))).await?;
    let name = serde_json::from_str(raw.get()).map_err(|_| PageError::not_found("There is no such subscription."))?;
    Ok((raw.get().to_owned(), name))
}

async fn form(
    mut page: Page,
    title: String,
    id: String,
    filled: String,
    workflow: bool,
) -> Result<Html<String>, PageError> {
    if !page.may_change() {
        let detail = "Your key may read subscriptions, not change them.".to_owned();
        return Err(PageError::Shown { status: StatusCode::FORBIDDEN, detail });
    }
    let List { data: profiles, .. } = page.get("/v1/profiles").await?;
    let List { data: plugins, .. } = page.in_space("plugins?limit=200").await?;
    html(&View { page, title, id, filled, workflow, profiles, plugins })
}
