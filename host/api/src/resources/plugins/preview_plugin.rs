//! The preview of a plugin without a subscription.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use hookmill_model::{
    ContentType, EventId, EventType, OnFailure, Pattern, PluginName, PluginRef, Secret, SpaceId, Subscription,
    WantedVersion,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::Manages;
use crate::http::extract::PathParams;
use crate::http::number::Whole;
use crate::http::problem::Problem;
use crate::resources::names::ContentTypeName;
use crate::resources::preview_view::{self, EventChoice, PreviewView, PreviewedEvent};
use hookmill_server::error::Error;
use hookmill_server::plugins::schema::Checker;
use hookmill_server::plugins::versions::{choose, configured, usable};
use hookmill_server::registry::CompiledSubscription;
use hookmill_server::stages::request::check_url;
use hookmill_server::subscriptions::rules;

/// Default URL of a preview. The name is reserved and never resolves (RFC 2606).
const URL_DEFAULT: &str = "https://receiver.example/";

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(preview_plugin))
}

/// A preview of a plugin. Exactly one of `event_id`, `event` and `event_type` is required.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PluginPreviewInput {
    /// Id of a stored event.
    #[schema(value_type = Option<String>)]
    event_id: Option<EventId>,
    /// An event to use without storing it.
    event: Option<PreviewedEvent>,
    /// Event type whose example to use.
    #[schema(value_type = Option<String>)]
    event_type: Option<EventType>,
    /// Version of the plugin, or a range, of which the newest release is used; the newest release by default.
    #[schema(value_type = Option<String>)]
    version: Option<WantedVersion>,
    /// Configuration of the plugin; `{}` by default.
    config: Option<Value>,
    /// Number of the attempt that the plugin sees; 1 by default.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000)]
    attempt: Option<Whole<1, 1_000>>,
    /// URL of the subscription; `https://receiver.example/` by default.
    url: Option<String>,
    /// Content type of the subscription; `application/json` by default.
    #[schema(value_type = Option<ContentTypeName>)]
    content_type: Option<ContentType>,
    /// Names of sealed secrets available to the plugin in addition to `signing`, at most 19.
    secrets: Option<Vec<String>>,
}

/// Shows what a plugin would send for an event, without a subscription.
///
/// Nothing is sent and nothing is stored. The preview uses a temporary subscription: a POST to `url`, all fields, no
/// additional headers, and secrets that are discarded afterwards, including the signing secret (Standard Webhooks). The
/// signature is therefore valid, but no receiver can verify it.
#[utoipa::path(post, path = "/v1/spaces/{space}/plugins/{plugin}/preview", tag = "plugins",
    request_body = PluginPreviewInput, responses((status = 200, body = PreviewView)))]
async fn preview_plugin(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    request: Request,
) -> Result<Json<PreviewView>, Problem> {
    let name: PluginName = params.get("plugin")?;
    let mut input: PluginPreviewInput = preview_view::read(&api, request).await?;
    if usable(&*api.host.store, &space, &name).await?.is_empty() {
        return Err(Error::not_found("plugin", name).into());
    }
    let choice =
        EventChoice { event_id: input.event_id.take(), event: input.event.take(), event_type: input.event_type.take() };
    let event = preview_view::event(&api, &space, choice).await?;
    let attempt = input.attempt.map_or(1, |attempt| attempt.0);
    let subscription = temporary_subscription(&api, &space, &name, input).await?;
    Ok(Json(preview_view::show(&api, &CompiledSubscription::new(subscription), event, attempt).await?))
}

/// Builds the temporary subscription.
async fn temporary_subscription(
    api: &Api,
    space: &SpaceId,
    name: &PluginName,
    input: PluginPreviewInput,
) -> Result<Subscription, Error> {
    let PluginPreviewInput { version, config, url, content_type, secrets, .. } = input;
    let url = check_url(url.as_deref().unwrap_or(URL_DEFAULT)).map_err(|right| Error::field("/url", right))?;
    let config = config.unwrap_or_else(|| Value::Object(Map::new()));
    let chosen = choose(&api.host, space, name, version.as_ref()).await.map_err(|err| err.at(""))?;
    let config = configured(Checker::of(&api.host, space), &chosen.config_schema, config).await;
    let config = config.map_err(|err| err.at("/config"))?;
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
    let secrets = rules::sealed_secrets(secrets, None);
    subscription.sealed_secrets = secrets.map_err(|error| error.rebased("/sealed_secrets", "/secrets"))?;
    Ok(subscription)
}
