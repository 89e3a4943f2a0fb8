//! A subscription as it is shown: without anything secret.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::model::{
    ContentType, Digest, Method, PauseReason, PluginName, PluginVersion, SpaceId, Subscription, SubscriptionId,
    SubscriptionState, SuccessCodes,
};
use crate::store::Activity;

/// What stands for a secret.
pub(super) const MASK: &str = "***";

/// The members that a caller writes; the others are the host's.
const WRITTEN: [&str; 15] = [
    "name",
    "description",
    "url",
    "method",
    "event_types",
    "condition",
    "fields",
    "content_type",
    "headers",
    "delay_s",
    "plugin",
    "timeout_ms",
    "success_codes",
    "retry",
    "notify_on_failure",
];

/// A subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(super) struct SubscriptionView {
    /// Its id.
    #[schema(value_type = String)]
    id: SubscriptionId,
    /// Whose events it wants.
    #[schema(value_type = String)]
    space: SpaceId,
    /// For people.
    name: String,
    /// For people.
    description: String,
    /// Where to send.
    url: String,
    /// The method, if the plugin does not choose one.
    #[schema(value_type = String)]
    method: Method,
    /// Which types of events.
    event_types: Vec<String>,
    /// A CEL expression over `event` that must be true; null if there is none.
    #[schema(required)]
    condition: Option<String>,
    /// Which of the event's fields the plugin sees.
    fields: FieldsView,
    /// The body's content type.
    #[schema(value_type = String)]
    content_type: ContentType,
    /// Headers that every request carries.
    headers: Vec<CustomHeaderView>,
    /// Seconds between an event's acceptance and the first attempt.
    delay_s: u32,
    /// What shapes the request; null for the default shapes.
    #[schema(required)]
    plugin: Option<PluginRefView>,
    /// How many signing secrets there are, one or several during a rotation: `***` for each, newest first.
    secrets: Vec<&'static str>,
    /// Milliseconds until the whole answer must have come.
    timeout_ms: u32,
    /// Which statuses are success.
    #[schema(value_type = String)]
    success_codes: SuccessCodes,
    /// When to try again.
    retry: RetryView,
    /// Whether the space's administrators are told when deliveries fail.
    notify_on_failure: bool,
    /// Whether it wants events now.
    #[schema(value_type = SubscriptionStateName)]
    state: SubscriptionState,
    /// Why it is paused: `requested`, or `gone` if its receiver answered 410; null if it is not.
    #[schema(value_type = Option<String>, required)]
    pause_reason: Option<PauseReason>,
    /// Failed attempts in a row.
    failure_streak: u32,
    /// When its last attempt began; null if there was none.
    #[schema(required)]
    last_triggered_at: Option<Timestamp>,
    /// When it was created.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

/// Whether a subscription wants events now.
#[derive(ToSchema)]
#[schema(as = SubscriptionState, rename_all = "snake_case")]
#[expect(dead_code, reason = "stands in the document for the model's state, which knows nothing of documents")]
enum SubscriptionStateName {
    /// Events match it, deliveries are sent.
    Active,
    /// Events pass it by; deliveries that it has wait until it is activated.
    Paused,
}

/// Which of an event's fields the plugin sees, by JSONPath (RFC 9535) over its data.
#[derive(Serialize, ToSchema)]
struct FieldsView {
    /// Paths to keep; none keeps all.
    include: Vec<String>,
    /// Paths to remove.
    exclude: Vec<String>,
}

/// A header that every request carries.
#[derive(Serialize, ToSchema)]
struct CustomHeaderView {
    /// Its name.
    name: String,
    /// Its value; `***` if it is secret.
    value: String,
    /// Whether the value is shown to nobody.
    secret: bool,
}

/// The plugin that a subscription uses.
#[derive(Serialize, ToSchema)]
struct PluginRefView {
    /// Its name.
    #[schema(value_type = String)]
    name: PluginName,
    /// Its version.
    #[schema(value_type = String)]
    version: PluginVersion,
    /// The digest of its component, which is what runs.
    #[schema(value_type = String)]
    digest: Digest,
    /// Its configuration.
    config: Value,
}

/// When to try again after a failed attempt.
#[derive(Serialize, ToSchema)]
struct RetryView {
    /// Seconds between one attempt's end and the next.
    schedule_s: Vec<u32>,
    /// How far a wait may be stretched at random, in percent.
    jitter_percent: u8,
}

impl SubscriptionView {
    /// What is shown of a subscription.
    pub(super) fn of(subscription: Subscription, activity: Activity) -> Self {
        let mask = |header: crate::model::CustomHeader| CustomHeaderView {
            value: if header.secret { MASK.to_owned() } else { header.value },
            name: header.name,
            secret: header.secret,
        };
        Self {
            id: subscription.id,
            space: subscription.space,
            name: subscription.name,
            description: subscription.description,
            url: subscription.url.into(),
            method: subscription.method,
            event_types: subscription.event_types.iter().map(ToString::to_string).collect(),
            condition: subscription.condition,
            fields: FieldsView { include: subscription.fields.include, exclude: subscription.fields.exclude },
            content_type: subscription.content_type,
            headers: subscription.headers.into_iter().map(mask).collect(),
            delay_s: subscription.delay_s,
            plugin: subscription.plugin.map(|plugin| PluginRefView {
                name: plugin.name,
                version: plugin.version,
                digest: plugin.digest,
                config: plugin.config,
            }),
            secrets: vec![MASK; subscription.secrets.len()],
            timeout_ms: subscription.timeout_ms,
            success_codes: subscription.success_codes,
            retry: RetryView {
                schedule_s: subscription.retry.schedule_s,
                jitter_percent: subscription.retry.jitter_percent,
            },
            notify_on_failure: subscription.notify_on_failure,
            state: subscription.state,
            pause_reason: subscription.pause_reason,
            failure_streak: activity.failure_streak,
            last_triggered_at: activity.last_triggered_at,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
        }
    }

    /// The same, as a caller would write it: what a change is merged into.
    pub(super) fn written(&self) -> serde_json::Result<Value> {
        let mut value = serde_json::to_value(self)?;
        if let Some(members) = value.as_object_mut() {
            members.retain(|name, _| WRITTEN.contains(&name.as_str()));
        }
        if let Some(plugin) = value.pointer_mut("/plugin").and_then(Value::as_object_mut) {
            plugin.remove("digest");
        }
        Ok(value)
    }
}
