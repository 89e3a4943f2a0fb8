//! A subscription as it is shown: without secrets.

use std::collections::BTreeMap;

use axum::Json;
use hookmill_model::{
    Activity, AnswerRule, Batch, ContentType, Handshake, HandshakeReport, Method, PauseReason, QueryParameter, Rate,
    Signing, SpaceId, Subscription, SubscriptionId, SubscriptionState, SuccessCodes, Trigger,
};
use hookmill_store::Queue;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::names::{ContentTypeName, MethodName, PauseReasonName};
use super::plugin::{EarlierPluginView, PluginRefView};
use crate::Api;
use crate::http::problem::Problem;
use hookmill_server::stages::seal::MASK;
use hookmill_server::subscriptions::definition::HandshakeChoice;
use hookmill_server::subscriptions::described;

/// A subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(super) struct SubscriptionView {
    /// Id.
    #[schema(value_type = String)]
    id: SubscriptionId,
    /// Space whose events it receives.
    #[schema(value_type = String)]
    space: SpaceId,
    /// Name for people.
    name: String,
    /// Description for people.
    description: String,
    /// Profile whose defaults it took.
    profile: String,
    /// Generation of the profile.
    generation: u32,
    /// URL to send to.
    url: String,
    /// HTTP method, unless the plugin chooses one.
    #[schema(value_type = MethodName)]
    method: Method,
    /// Event types to send.
    event_types: Vec<String>,
    /// Change that an event must report; null if none is required.
    #[schema(value_type = Option<described::Trigger>, required)]
    trigger: Option<Trigger>,
    /// CEL expression over `event` that must be true; null if there is none.
    #[schema(required)]
    condition: Option<String>,
    /// Fields of the event's data that the plugin sees.
    fields: FieldsView,
    /// Content type of the body.
    #[schema(value_type = ContentTypeName)]
    content_type: ContentType,
    /// Headers of every request.
    headers: Vec<CustomHeaderView>,
    /// Parameters appended to the URL's query.
    #[schema(value_type = Vec<described::QueryParameter>)]
    query: Vec<QueryParameter>,
    /// Seconds between an event's acceptance and the first attempt.
    delay_s: u32,
    /// Batching of events; null if it is off.
    #[schema(value_type = Option<described::Batch>, required)]
    batch: Option<Batch>,
    /// Most requests within a time; null if it is unlimited.
    #[schema(value_type = Option<described::Rate>, required)]
    rate: Option<Rate>,
    /// Most requests at once; null for the host's limit.
    #[schema(required)]
    in_flight_max: Option<u32>,
    /// Plugin that shapes the requests; null for the default shapes.
    #[schema(required)]
    plugin: Option<PluginRefView>,
    /// Plugins that it used before, newest last: `rollback` returns to the last one.
    plugin_history: Vec<EarlierPluginView>,
    /// Shadow, which runs on live events next to the plugin without sending; null if there is none.
    #[schema(required)]
    shadow: Option<PluginRefView>,
    /// Signing scheme.
    #[schema(value_type = described::Signing)]
    signing: Signing,
    /// Signing secrets, one or several during a rotation: `***` for each, newest first.
    secrets: Vec<&'static str>,
    /// Sealed secrets that the plugin may use, by name: `***` for each.
    sealed_secrets: BTreeMap<String, &'static str>,
    /// Whether the URL must be https.
    require_https: bool,
    /// Handshake with the endpoint on every activation.
    handshake: HandshakeView,
    /// Report of the last handshake; null if there was none.
    #[schema(required)]
    handshake_report: Option<HandshakeReportView>,
    /// Milliseconds until the whole response must have arrived.
    timeout_ms: u32,
    /// Statuses that count as success.
    #[schema(value_type = String)]
    success_codes: SuccessCodes,
    /// Rule by which a response's body reports a failure; null if there is none.
    #[schema(value_type = Option<described::AnswerRule>, required)]
    answer_rule: Option<AnswerRule>,
    /// Retry schedule.
    retry: RetryView,
    /// Number of failed deliveries in a row after which it is paused; 0 is never.
    pause_after_failures: u32,
    /// Whether a response with status 410 ends its delivery and pauses the subscription.
    pause_on_gone: bool,
    /// Days that the results of deliveries are kept; 0 is indefinitely.
    keep_days: u32,
    /// Whether the space's administrators are notified when deliveries fail.
    notify_on_failure: bool,
    /// State.
    #[schema(value_type = SubscriptionStateName)]
    state: SubscriptionState,
    /// Reason for the pause: `requested`; `gone` if the receiver responded with 410; `failures` if too many deliveries
    /// in a row failed; `plugin_failures` if the plugin failed too often in a row; `condition` if the condition needed
    /// more work or memory than it may use, or was invalid, too often in a row. Null if it was not paused since it was
    /// last active.
    #[schema(value_type = Option<PauseReasonName>, required)]
    pause_reason: Option<PauseReason>,
    /// Details of the pause, for people; null if there are none.
    #[schema(required)]
    pause_detail: Option<String>,
    /// Failed attempts in a row.
    failure_streak: u32,
    /// Failed deliveries in a row.
    failed_deliveries: u32,
    /// Failures of its plugin in a row.
    plugin_failures: u32,
    /// Deliveries that wait for it.
    queue: QueueView,
    /// When its last attempt began; null if there was none.
    #[schema(required)]
    last_triggered_at: Option<Timestamp>,
    /// When it was created.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

/// Deliveries that wait for a subscription, those being sent included.
#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
struct QueueView {
    /// Number of pending deliveries that were never attempted.
    waiting: u64,
    /// Number of pending deliveries that were attempted before.
    retrying: u64,
    /// Time at which the first of them is due, or was; null if there is none, or if all are being sent for the first time.
    #[schema(required)]
    next_due_at: Option<Timestamp>,
}

impl From<Queue> for QueueView {
    fn from(Queue { waiting, retrying, next_due_at }: Queue) -> Self {
        Self { waiting, retrying, next_due_at }
    }
}

/// Returns the response that shows a subscription.
pub(super) async fn shown(
    api: &Api,
    subscription: Subscription,
    activity: Activity,
) -> Result<Json<SubscriptionView>, Problem> {
    let queue = api.host.store.queue(&subscription.space, subscription.id).await?;
    Ok(Json(SubscriptionView::of(subscription, activity, queue)))
}

/// State of a subscription.
#[derive(ToSchema)]
#[schema(as = SubscriptionState, rename_all = "snake_case")]
#[expect(dead_code, reason = "used in the API description alone")]
pub(crate) enum SubscriptionStateName {
    /// Never activated: events do not match it.
    Draft,
    /// Waits for its endpoint to pass the handshake: events do not match it.
    Verifying,
    /// Events match it, deliveries are sent.
    Active,
    /// Events do not match it; its deliveries are held until it is activated.
    Paused,
}

/// Handshake with the endpoint on every activation.
#[derive(Serialize, ToSchema)]
#[schema(as = Handshake)]
struct HandshakeView {
    /// Request that is made.
    kind: HandshakeChoice,
    /// Statuses with which the endpoint passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    success_codes: Option<SuccessCodes>,
    /// Milliseconds until the whole response must have arrived.
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

/// Report of a handshake.
#[derive(Serialize, ToSchema)]
#[schema(as = HandshakeReport)]
pub(super) struct HandshakeReportView {
    /// When it was made.
    at: Timestamp,
    /// Whether the endpoint passed.
    passed: bool,
    /// What happened, for people.
    reason: String,
    /// Status of the response; null if there was none.
    #[schema(required)]
    status: Option<u16>,
    /// Duration in milliseconds.
    took_ms: u64,
    /// First bytes of the response's body, as text.
    answer: String,
}

impl From<HandshakeReport> for HandshakeReportView {
    fn from(report: HandshakeReport) -> Self {
        let HandshakeReport { at, passed, reason, status, took_ms, answer } = report;
        Self { at, passed, reason, status, took_ms, answer }
    }
}

/// Fields of an event's data that the plugin sees, as JSONPath (RFC 9535).
#[derive(Serialize, ToSchema)]
#[schema(as = Fields)]
struct FieldsView {
    /// Paths to keep; an empty list keeps all.
    include: Vec<String>,
    /// Paths to remove.
    exclude: Vec<String>,
}

/// Header of every request.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomHeader)]
struct CustomHeaderView {
    /// Name.
    name: String,
    /// Value; `***` if it is secret.
    value: String,
    /// Whether the value is secret: never shown.
    secret: bool,
}

/// Retry schedule after a failed attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = Retry)]
struct RetryView {
    /// Seconds between the end of one attempt and the next.
    schedule_s: Vec<u32>,
    /// Maximum random extension of a wait, in percent.
    jitter_percent: u8,
}

impl SubscriptionView {
    /// The view of a subscription.
    pub(super) fn of(subscription: Subscription, activity: Activity, queue: Queue) -> Self {
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
            rate: subscription.rate,
            in_flight_max: subscription.in_flight_max,
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
            queue: queue.into(),
            last_triggered_at: activity.last_triggered_at,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
        }
    }
}
