//! A subscription as it is shown: without anything secret.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::names::{ContentTypeName, MethodName, PauseReasonName};
use super::parts::HandshakeChoice;
use super::plugin::{EarlierPluginView, PluginRefView};
use super::{document, plugin};
use crate::stages::seal::MASK;
use hookmill_model::{
    Activity, AnswerRule, Batch, ContentType, Handshake, HandshakeReport, Method, PauseReason, QueryParameter, Signing,
    SpaceId, Subscription, SubscriptionId, SubscriptionState, SuccessCodes, Trigger,
};

/// The members that a caller writes; the others are the host's.
const WRITTEN: [&str; 28] = [
    "name",
    "description",
    "profile",
    "generation",
    "url",
    "method",
    "event_types",
    "trigger",
    "condition",
    "fields",
    "content_type",
    "headers",
    "query",
    "delay_s",
    "batch",
    "plugin",
    "signing",
    "sealed_secrets",
    "require_https",
    "handshake",
    "timeout_ms",
    "success_codes",
    "answer_rule",
    "retry",
    "pause_after_failures",
    "pause_on_gone",
    "keep_days",
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
    /// Whose defaults it took.
    profile: String,
    /// Which generation of the profile.
    generation: u32,
    /// Where to send.
    url: String,
    /// The method, if the plugin does not choose one.
    #[schema(value_type = MethodName)]
    method: Method,
    /// Which types of events.
    event_types: Vec<String>,
    /// What must have changed; null if nothing must.
    #[schema(value_type = Option<document::Trigger>, required)]
    trigger: Option<Trigger>,
    /// A CEL expression over `event` that must be true; null if there is none.
    #[schema(required)]
    condition: Option<String>,
    /// Which of the event's fields the plugin sees.
    fields: FieldsView,
    /// The body's content type.
    #[schema(value_type = ContentTypeName)]
    content_type: ContentType,
    /// Headers that every request carries.
    headers: Vec<CustomHeaderView>,
    /// Parameters that are appended to the URL's query.
    #[schema(value_type = Vec<document::QueryParameter>)]
    query: Vec<QueryParameter>,
    /// Seconds between an event's acceptance and the first attempt.
    delay_s: u32,
    /// How events are gathered; null if they are not.
    #[schema(value_type = Option<document::Batch>, required)]
    batch: Option<Batch>,
    /// What shapes the request; null for the default shapes.
    #[schema(required)]
    plugin: Option<PluginRefView>,
    /// What shaped it before, newest last: what `rollback` goes back to is the last.
    plugin_history: Vec<EarlierPluginView>,
    /// What runs beside the plugin on live events, without sending; null if nothing does.
    #[schema(required)]
    shadow: Option<PluginRefView>,
    /// How requests are signed.
    #[schema(value_type = document::Signing)]
    signing: Signing,
    /// How many signing secrets there are, one or several during a rotation: `***` for each, newest first.
    secrets: Vec<&'static str>,
    /// The names of the secrets that the plugin may use: `***` for each.
    sealed_secrets: BTreeMap<String, &'static str>,
    /// Whether the URL must be https.
    require_https: bool,
    /// What the endpoint is asked on every activation.
    handshake: HandshakeView,
    /// What came of the last handshake; null if there was none.
    #[schema(required)]
    handshake_report: Option<HandshakeReportView>,
    /// Milliseconds until the whole answer must have come.
    timeout_ms: u32,
    /// Which statuses are success.
    #[schema(value_type = String)]
    success_codes: SuccessCodes,
    /// How a failure is read in an answer's body; null if it is not.
    #[schema(value_type = Option<document::AnswerRule>, required)]
    answer_rule: Option<AnswerRule>,
    /// When to try again.
    retry: RetryView,
    /// After how many failed deliveries in a row it is paused; 0 is never.
    pause_after_failures: u32,
    /// Whether an answer 410 ends its delivery and pauses the subscription.
    pause_on_gone: bool,
    /// Days that what came of deliveries is kept; 0 is for ever.
    keep_days: u32,
    /// Whether the space's administrators are told when deliveries fail.
    notify_on_failure: bool,
    /// Whether it wants events now.
    #[schema(value_type = SubscriptionStateName)]
    state: SubscriptionState,
    /// Why it is paused: `requested`, `gone` if its receiver answered 410, or `failures` if too many deliveries in a
    /// row failed, or `plugin_failures` if its plugin failed too often in a row; null if it was not since it was last active.
    #[schema(value_type = Option<PauseReasonName>, required)]
    pause_reason: Option<PauseReason>,
    /// What led to the pause, in words; null if there is nothing to say.
    #[schema(required)]
    pause_detail: Option<String>,
    /// Failed attempts in a row.
    failure_streak: u32,
    /// Failed deliveries in a row.
    failed_deliveries: u32,
    /// Failures of its plugin in a row.
    plugin_failures: u32,
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
    /// Was never activated: events pass it by.
    Draft,
    /// Waits for its endpoint to pass the handshake: events pass it by.
    Verifying,
    /// Events match it, deliveries are sent.
    Active,
    /// Events pass it by; deliveries that it has wait until it is activated.
    Paused,
}

/// What the endpoint is asked on every activation.
#[derive(Serialize, ToSchema)]
#[schema(as = Handshake)]
struct HandshakeView {
    /// Which request.
    kind: HandshakeChoice,
    /// Which statuses let it pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    success_codes: Option<SuccessCodes>,
    /// Milliseconds until the whole answer must have come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    timeout_ms: Option<u32>,
}

impl From<Option<Handshake>> for HandshakeView {
    fn from(handshake: Option<Handshake>) -> Self {
        match handshake {
            None => Self { kind: HandshakeChoice::None, success_codes: None, timeout_ms: None },
            Some(Handshake { kind, success_codes, timeout_ms }) => {
                Self { kind: kind.into(), success_codes: Some(success_codes), timeout_ms: Some(timeout_ms) }
            }
        }
    }
}

/// What came of a handshake.
#[derive(Serialize, ToSchema)]
#[schema(as = HandshakeReport)]
pub(super) struct HandshakeReportView {
    /// When it was made.
    at: Timestamp,
    /// Whether the endpoint passed.
    passed: bool,
    /// What happened, in words.
    reason: String,
    /// The status of the answer; null if none came.
    #[schema(required)]
    status: Option<u16>,
    /// How long it took, in milliseconds.
    took_ms: u64,
    /// The first bytes of the answer's body, as text.
    answer: String,
}

impl From<HandshakeReport> for HandshakeReportView {
    fn from(report: HandshakeReport) -> Self {
        let HandshakeReport { at, passed, reason, status, took_ms, answer } = report;
        Self { at, passed, reason, status, took_ms, answer }
    }
}

/// Which of an event's fields the plugin sees, by JSONPath (RFC 9535) over its data.
#[derive(Serialize, ToSchema)]
#[schema(as = Fields)]
struct FieldsView {
    /// Paths to keep; none keeps all.
    include: Vec<String>,
    /// Paths to remove.
    exclude: Vec<String>,
}

/// A header that every request carries.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomHeader)]
struct CustomHeaderView {
    /// Its name.
    name: String,
    /// Its value; `***` if it is secret.
    value: String,
    /// Whether the value is shown to nobody.
    secret: bool,
}

/// When to try again after a failed attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = Retry)]
struct RetryView {
    /// Seconds between one attempt's end and the next.
    schedule_s: Vec<u32>,
    /// How far a wait may be stretched at random, in percent.
    jitter_percent: u8,
}

impl SubscriptionView {
    /// What is shown of a subscription.
    pub(super) fn of(subscription: Subscription, activity: Activity) -> Self {
        let mask = |header: hookmill_model::CustomHeader| CustomHeaderView {
            value: if header.secret { MASK.to_owned() } else { header.value },
            name: header.name,
            secret: header.secret,
        };
        Self {
            id: subscription.id,
            space: subscription.space,
            name: subscription.name,
            description: subscription.description,
            profile: subscription.profile,
            generation: subscription.generation,
            url: subscription.url.into(),
            method: subscription.method,
            event_types: subscription.event_types.iter().map(ToString::to_string).collect(),
            trigger: subscription.trigger,
            condition: subscription.condition,
            fields: FieldsView { include: subscription.fields.include, exclude: subscription.fields.exclude },
            content_type: subscription.content_type,
            headers: subscription.headers.into_iter().map(mask).collect(),
            query: subscription.query,
            delay_s: subscription.delay_s,
            batch: subscription.batch,
            plugin: subscription.plugin.map(PluginRefView::from),
            plugin_history: subscription.plugin_history.into_iter().map(EarlierPluginView::from).collect(),
            shadow: subscription.shadow.map(PluginRefView::from),
            signing: subscription.signing,
            secrets: vec![MASK; subscription.secrets.len()],
            sealed_secrets: subscription.sealed_secrets.into_keys().map(|name| (name, MASK)).collect(),
            require_https: subscription.require_https,
            handshake: subscription.handshake.into(),
            handshake_report: subscription.handshake_report.map(HandshakeReportView::from),
            timeout_ms: subscription.timeout_ms,
            success_codes: subscription.success_codes,
            answer_rule: subscription.answer_rule,
            retry: RetryView {
                schedule_s: subscription.retry.schedule_s,
                jitter_percent: subscription.retry.jitter_percent,
            },
            pause_after_failures: subscription.pause_after_failures.unwrap_or(0),
            pause_on_gone: subscription.pause_on_gone,
            keep_days: subscription.keep_days.unwrap_or(0),
            notify_on_failure: subscription.notify_on_failure,
            state: subscription.state,
            pause_reason: subscription.pause_reason,
            pause_detail: subscription.pause_detail,
            failure_streak: activity.failure_streak,
            failed_deliveries: activity.failed_deliveries,
            plugin_failures: activity.plugin_failures,
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
            plugin::as_written(plugin);
        }
        Ok(value)
    }
}
