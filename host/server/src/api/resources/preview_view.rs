//! What previews have in common, of a subscription and of a plugin alone: which event they show, and how they are shown.

use axum::extract::Request;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::attempts::{FiguresView, LogView, PluginFaultView, RequestView};
use super::events::check_data;
use crate::api::Api;
use crate::api::http::extract;
use crate::api::http::json;
use crate::dispatch::test_delivery;
use crate::dry_run::preview::{Preview, preview};
use crate::error::{Code, Error};
use crate::registry::CompiledSubscription;
use crate::subscriptions::example;
use hookmill_model::TransformOutcome;
use hookmill_model::{DeliveryId, Digest, Event, EventId, EventType, PluginName, PluginRef, PluginVersion, SpaceId};

/// An event that is given for a preview alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewedEvent {
    /// Its type.
    #[schema(value_type = String, example = "lead.created")]
    r#type: EventType,
    /// Its data.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
    /// Its id; one is made if it is left out.
    #[schema(value_type = Option<String>)]
    id: Option<EventId>,
    /// When it happened; now, if it is left out.
    #[serde(default, deserialize_with = "extract::time")]
    occurred_at: Option<Timestamp>,
}

/// Which event to show: exactly one of them.
pub(super) struct EventChoice {
    /// A stored one.
    pub(super) event_id: Option<EventId>,
    /// A given one.
    pub(super) event: Option<PreviewedEvent>,
    /// The example of a type.
    pub(super) event_type: Option<EventType>,
}

/// What would be sent. Exactly one of `request`, `skipped` and `plugin_fault` is not null, unless the plugin fails and its
/// subscription sends the default shape then: that request stands beside the fault.
#[derive(Serialize, ToSchema)]
#[schema(as = Preview)]
pub(super) struct PreviewView {
    /// The request, signed over its exact bytes at this moment, as the history of attempts shows one.
    #[schema(required)]
    request: Option<RequestView>,
    /// Why the plugin sends nothing.
    #[schema(required)]
    skipped: Option<String>,
    /// How the plugin fails.
    #[schema(required)]
    plugin_fault: Option<PluginFaultView>,
    /// What the plugin logged.
    logs: Vec<LogView>,
    /// What the transform used, against what it might.
    figures: FiguresView,
    /// The plugin that ran; null for the default shapes.
    #[schema(required)]
    plugin: Option<PreviewedPlugin>,
}

/// The plugin that ran.
#[derive(Serialize, ToSchema)]
struct PreviewedPlugin {
    /// Its name.
    #[schema(value_type = String)]
    name: PluginName,
    /// Its version.
    #[schema(value_type = String)]
    version: PluginVersion,
    /// The digest of its component.
    #[schema(value_type = String)]
    digest: Digest,
}

impl From<&PluginRef> for PreviewedPlugin {
    fn from(plugin: &PluginRef) -> Self {
        Self { name: plugin.name.clone(), version: plugin.version.clone(), digest: plugin.digest }
    }
}

/// Reads the body: an event as large as any may stand in it.
pub(super) async fn read<T: DeserializeOwned>(api: &Api, request: Request) -> Result<T, Error> {
    let limits = &api.host.config.accept;
    extract::media_type(request.headers(), &["application/json"])?;
    let body = extract::read(request, limits.event_bytes_max + limits.body_bytes_max, "the body").await?;
    json::object(&body)
}

/// The event that was chosen.
pub(super) async fn event(api: &Api, space: &SpaceId, choice: EventChoice) -> Result<Event, Error> {
    match choice {
        EventChoice { event_id: Some(id), event: None, event_type: None } => {
            let found = api.host.store.event(space, &id).await?;
            let (event, _) = found.ok_or_else(|| Error::field("/event_id", format!("there is no event `{id}`")))?;
            Ok(event)
        }
        EventChoice { event_id: None, event: Some(given), event_type: None } => {
            check_data(&given.data, "/event/data", api.host.config.accept.event_bytes_max)?;
            Ok(made(api, space, given))
        }
        EventChoice { event_id: None, event: None, event_type: Some(kind) } => {
            let entry = example::event_type(&api.host, space, &kind).await?;
            let example = entry.and_then(|entry| entry.example).ok_or_else(|| {
                Error::field("/event_type", format!("the event type `{kind}` has no example: give an `event`"))
            })?;
            let data = serde_json::value::to_raw_value(&example).map_err(|err| Error::internal(&err))?;
            Ok(made(api, space, PreviewedEvent { r#type: kind, data, id: None, occurred_at: None }))
        }
        EventChoice { event_id: None, event: None, event_type: None } => {
            let right = "missing: exactly one of `event_id`, `event` and `event_type`";
            Err(Error::at(Code::FieldMissing, "", right))
        }
        EventChoice { .. } => Err(Error::field("", "exactly one of `event_id`, `event` and `event_type`")),
    }
}

fn made(api: &Api, space: &SpaceId, given: PreviewedEvent) -> Event {
    let now = api.host.clock.now();
    Event {
        space: space.clone(),
        id: given.id.unwrap_or_else(|| EventId::new(now)),
        kind: given.r#type,
        occurred_at: given.occurred_at.unwrap_or(now),
        accepted_at: now,
        data: given.data.into(),
        changed_fields: None,
        previous: None,
    }
}

/// Shows what the attempt of this number would send of an event.
pub(super) async fn show(
    api: &Api,
    live: &CompiledSubscription,
    event: Event,
    attempt: u32,
) -> Result<PreviewView, Error> {
    let host = &api.host;
    let delivery = test_delivery(&live.subscription, DeliveryId::new(host.clock.now()), event);
    let _turn = host.preview_slots.acquire().await;
    let shown = preview(host, live, &delivery, attempt).await;
    let Preview { made, plugin_fault, logs, figures } =
        shown.map_err(|err| Error::internal(&*err.into_boxed_dyn_error()))?;
    let (request, skipped, failed) = match made {
        TransformOutcome::Request(request) => (Some(request.into()), None, None),
        TransformOutcome::Skipped(reason) => (None, Some(reason), None),
        TransformOutcome::Failed(fault) => (None, None, Some(fault)),
    };
    Ok(PreviewView {
        request,
        skipped,
        plugin_fault: plugin_fault.or(failed).map(PluginFaultView::from),
        logs: logs.into_iter().map(LogView::from).collect(),
        figures: figures.into(),
        plugin: live.subscription.plugin.as_ref().map(PreviewedPlugin::from),
    })
}
