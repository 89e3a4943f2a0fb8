//! Previewing what a subscription would send.

use axum::Json;
use axum::extract::{Request, State};
use hookmill_model::{EventId, EventType, WantedVersion};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::Manages;
use crate::http::extract::PathParams;
use crate::http::number::Whole;
use crate::http::problem::Problem;
use crate::resources::preview_view::{self, EventChoice, PreviewView, PreviewedEvent};
use hookmill_server::registry::CompiledSubscription;
use hookmill_server::subscriptions::{find, plugin};

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(preview_subscription))
}

/// Preview to make. Exactly one of `event_id`, `event` and `event_type` is required.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewInput {
    /// Id of a stored event.
    #[schema(value_type = Option<String>)]
    event_id: Option<EventId>,
    /// Event that is not stored.
    event: Option<PreviewedEvent>,
    /// Event type whose example is used.
    #[schema(value_type = Option<String>)]
    event_type: Option<EventType>,
    /// Another version of the subscription's plugin: a version, or a range whose newest release is used.
    #[schema(value_type = Option<String>)]
    version: Option<WantedVersion>,
    /// Another configuration of the plugin.
    config: Option<Value>,
    /// Number of the attempt; 1 by default.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000)]
    attempt: Option<Whole<1, 1_000>>,
}

/// Shows what a subscription would send for an event.
///
/// With its plugin, or with another version or configuration of it. Nothing is sent and nothing is stored. The event
/// need not match the subscription, and stands alone even if the subscription batches events. The signature is made
/// over the exact bytes with the subscription's own secrets, at the current time and for a made-up delivery id; secrets
/// themselves are shown as `***`.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/preview", tag = "subscriptions",
    request_body = PreviewInput, responses((status = 200, body = PreviewView)))]
async fn preview_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    request: Request,
) -> Result<Json<PreviewView>, Problem> {
    let input = preview_view::read(&api, request).await?;
    let PreviewInput { event_id, event, event_type, version, config, attempt } = input;
    let (mut subscription, _) = find(&api.host, &space, params.get("subscription")?).await?;
    let event = preview_view::event(&api, &space, EventChoice { event_id, event, event_type }).await?;
    if let Some(variant) = plugin::variant(&api.host, &subscription, version, config).await? {
        subscription.plugin = Some(variant);
    }
    let attempt = attempt.map_or(1, |attempt| attempt.0);
    Ok(Json(preview_view::show(&api, &CompiledSubscription::new(subscription), event, attempt).await?))
}
