//! What a plugin would send, without a subscription.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::names::ContentTypeName;
use crate::api::Api;
use crate::api::http::access::Manages;
use crate::api::http::extract::PathParams;
use crate::api::http::number::Whole;
use crate::api::resources::preview::{self, Choice, PreviewView, PreviewedEvent};
use crate::api::resources::subscriptions::check_sealed_secrets;
use crate::error::Error;
use crate::plugins::versions::{choose, configured, usable};
use crate::registry::CompiledSubscription;
use crate::stages::request::check_url;
use hookmill_model::{
    ContentType, EventId, EventType, OnFailure, Pattern, PluginName, PluginRef, Secret, SpaceId, Subscription,
    WantedVersion,
};

/// Where the requests of a preview would go, if nothing is said. No host has such a name (RFC 2606).
const URL_DEFAULT: &str = "https://receiver.example/";

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(preview_plugin))
}

/// What to show. Exactly one of `event_id`, `event` and `event_type` is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PluginPreviewInput {
    /// A stored event.
    #[schema(value_type = Option<String>)]
    event_id: Option<EventId>,
    /// An event that is not stored.
    event: Option<PreviewedEvent>,
    /// The example of this event type.
    #[schema(value_type = Option<String>)]
    event_type: Option<EventType>,
    /// The plugin's version, or a range whose newest release is taken; the newest by default.
    #[schema(value_type = Option<String>)]
    version: Option<WantedVersion>,
    /// Its configuration; `{}` by default.
    config: Option<Value>,
    /// Which attempt it would be; 1 by default.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000)]
    attempt: Option<Whole<1, 1_000>>,
    /// Where the request would go; `https://receiver.example/` by default.
    url: Option<String>,
    /// The content type that the subscription would ask for; `application/json` by default.
    #[schema(value_type = Option<ContentTypeName>)]
    content_type: Option<ContentType>,
    /// Names of sealed secrets that the plugin may ask for, beside `signing`: at most 19.
    secrets: Option<Vec<String>>,
}

/// Shows what a plugin would send for an event, without a subscription.
///
/// Nothing is sent and nothing is stored. A temporary subscription is used: a POST to `url`, all fields, no headers of
/// its own, and secrets that are discarded afterwards, including the signing secret (for Standard Webhooks). The
/// signature is therefore valid, but no receiver can verify it.
#[utoipa::path(post, path = "/v1/spaces/{space}/plugins/{plugin}/preview", tag = "plugins",
    request_body = PluginPreviewInput, responses((status = 200, body = PreviewView)))]
async fn preview_plugin(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    request: Request,
) -> Result<Json<PreviewView>, Error> {
    let name: PluginName = params.get("plugin")?;
    let mut input: PluginPreviewInput = preview::read(&api, request).await?;
    if usable(&*api.host.store, &space, &name).await?.is_empty() {
        return Err(Error::not_found("plugin", name));
    }
    let choice =
        Choice { event_id: input.event_id.take(), event: input.event.take(), event_type: input.event_type.take() };
    let event = preview::event(&api, &space, choice).await?;
    let attempt = input.attempt.map_or(1, |attempt| attempt.0);
    let subscription = stand_in(&api, &space, &name, input).await?;
    preview::show(&api, &CompiledSubscription::new(subscription), event, attempt).await.map(Json)
}

/// The subscription that is made up.
async fn stand_in(
    api: &Api,
    space: &SpaceId,
    name: &PluginName,
    input: PluginPreviewInput,
) -> Result<Subscription, Error> {
    let PluginPreviewInput { version, config, url, content_type, secrets, .. } = input;
    let url = check_url(url.as_deref().unwrap_or(URL_DEFAULT)).map_err(|right| Error::field("/url", right))?;
    let config = config.unwrap_or_else(|| Value::Object(Map::new()));
    let chosen = choose(&api.host, space, name, version.as_ref()).await.map_err(|err| err.at(""))?;
    let config = configured(&chosen.config_schema, config).await.map_err(|err| err.at("/config"))?;
    let secrets: BTreeMap<_, _> = secrets.into_iter().flatten().map(|name| (name, Secret::generate_text())).collect();
    let mut subscription = Subscription::new(space.clone(), "preview", url, vec![Pattern::All], api.host.clock.now());
    subscription.plugin = Some(PluginRef {
        name: chosen.name,
        version: chosen.version,
        digest: chosen.digest,
        config,
        follows: None,
        held_back: None,
        on_failure: OnFailure::Fail,
        pause_after: None,
    });
    subscription.content_type = content_type.unwrap_or(ContentType::Json);
    let secrets = check_sealed_secrets(secrets, None);
    subscription.sealed_secrets = secrets.map_err(|problem| problem.moved("/sealed_secrets", "/secrets"))?;
    Ok(subscription)
}
