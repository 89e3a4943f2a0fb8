//! A subscription: which events go where, when and in what shape.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    AnswerRule, Batch, Handshake, HandshakeReport, Invalid, Pattern, PluginRef, QueryParameter, Rate, Secret, Signing,
    SpaceId, SubscriptionId, SuccessCodes, Trigger,
};

/// A subscription as it is stored. The API checks its fields one by one, so that an error names the field.
///
/// Serializing writes secrets in clear, which is for the store only; the API has its own view.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Its space.
    pub space: SpaceId,
    /// A display name: 1 to 200 characters.
    pub name: String,
    /// A description: at most 2,000 characters.
    pub description: String,
    /// The profile that its defaults came from.
    #[serde(default = "standard")]
    pub profile: String,
    /// The generation of the profile, from 1.
    #[serde(default = "first")]
    pub generation: u32,
    /// The endpoint: http or https, without user, password or fragment.
    pub url: Url,
    /// The method, if the plugin does not choose one.
    pub method: Method,
    /// The types of events that it matches: at least one pattern.
    pub event_types: Vec<Pattern>,
    /// The change that an event must report, if any.
    #[serde(default)]
    pub trigger: Option<Trigger>,
    /// A CEL expression over `event` that must be true.
    pub condition: Option<String>,
    /// The fields of the event that the plugin sees.
    pub fields: FieldSelection,
    /// The body's content type, for the default shapes and for plugins that use it.
    pub content_type: ContentType,
    /// Headers that every request carries.
    pub headers: Vec<CustomHeader>,
    /// Parameters that are appended to the URL's query.
    #[serde(default)]
    pub query: Vec<QueryParameter>,
    /// Seconds between an event's acceptance and the first attempt: 0 to 30 days.
    pub delay_s: u32,
    /// Whether and how events are batched.
    #[serde(default)]
    pub batch: Option<Batch>,
    /// The most attempts within a time; none for as many as are due.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// The most attempts at once, if fewer than the host's own limit.
    #[serde(default)]
    pub in_flight_max: Option<u32>,
    /// The plugin that shapes requests; none for the default shapes.
    pub plugin: Option<PluginRef>,
    /// The plugins that shaped them before, newest last: each entry was replaced by a change.
    #[serde(default)]
    pub plugin_history: Vec<PluginRef>,
    /// The plugin that runs as a shadow on live events, without sending.
    #[serde(default)]
    pub shadow: Option<PluginRef>,
    /// The signing scheme.
    #[serde(default)]
    pub signing: Signing,
    /// Signing secrets, newest first: one, or several during a rotation.
    pub secrets: Vec<Secret>,
    /// Secrets whose placeholders the plugin may request, by name.
    #[serde(default)]
    pub sealed_secrets: BTreeMap<String, Secret>,
    /// Whether the URL must be https.
    #[serde(default)]
    pub require_https: bool,
    /// The handshake that the endpoint must pass on activation, if any.
    #[serde(default)]
    pub handshake: Option<Handshake>,
    /// The timeout for the complete response, in milliseconds.
    pub timeout_ms: u32,
    /// The statuses that are success.
    pub success_codes: SuccessCodes,
    /// The rule for failures in a response's body, if any.
    #[serde(default)]
    pub answer_rule: Option<AnswerRule>,
    /// The retry policy.
    pub retry: RetryPolicy,
    /// The number of failed deliveries in a row after which it is paused; none for never.
    #[serde(default)]
    pub pause_after_failures: Option<u32>,
    /// Whether a 410 response ends the delivery and pauses the subscription, as Standard Webhooks demands; otherwise it is an
    /// ordinary failure.
    #[serde(default = "yes")]
    pub pause_on_gone: bool,
    /// Days that the results of its deliveries are kept; none for indefinitely.
    #[serde(default)]
    pub keep_days: Option<u32>,
    /// Whether the space's administrators get mails about failed deliveries.
    #[serde(default)]
    pub notify_on_failure: bool,
    /// Its state.
    pub state: SubscriptionState,
    /// Why it is paused, if it is.
    pub pause_reason: Option<PauseReason>,
    /// What led to the pause.
    #[serde(default)]
    pub pause_detail: Option<String>,
    /// The result of the last handshake, if there was one.
    #[serde(default)]
    pub handshake_report: Option<HandshakeReport>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed by a caller.
    pub updated_at: Timestamp,
}

fn standard() -> String {
    "standard".to_owned()
}

fn yes() -> bool {
    true
}

fn first() -> u32 {
    1
}

/// The default timeout: that of Standard Webhooks' libraries, within the limits of receivers' platforms.
pub const TIMEOUT_MS_DEFAULT: u32 = 15_000;

/// The longest timeout. A lease outlasts it.
pub const TIMEOUT_MS_MAX: u32 = 60_000;

/// The name by which a plugin refers to the newest signing secret.
pub const SIGNING_SECRET: &str = "signing";

impl Subscription {
    /// Returns the secret of this name: a sealed one, or the newest signing secret.
    pub fn sealed_secret(&self, name: &str) -> Option<&Secret> {
        if name == SIGNING_SECRET { self.secrets.first() } else { self.sealed_secrets.get(name) }
    }

    /// Returns the names of the secrets that a plugin may request.
    pub fn sealed_names(&self) -> Vec<&str> {
        std::iter::once(SIGNING_SECRET).chain(self.sealed_secrets.keys().map(String::as_str)).collect()
    }

    /// Creates an active subscription with defaults for everything else.
    pub fn new(space: SpaceId, name: &str, url: Url, event_types: Vec<Pattern>, now: Timestamp) -> Self {
        Self {
            id: SubscriptionId::new(now),
            space,
            name: name.to_owned(),
            description: String::new(),
            profile: standard(),
            generation: first(),
            url,
            method: Method::Post,
            event_types,
            trigger: None,
            condition: None,
            fields: FieldSelection::default(),
            content_type: ContentType::Json,
            headers: Vec::new(),
            query: Vec::new(),
            delay_s: 0,
            batch: None,
            rate: None,
            in_flight_max: None,
            plugin: None,
            plugin_history: Vec::new(),
            shadow: None,
            signing: Signing::default(),
            secrets: vec![Secret::generate()],
            sealed_secrets: BTreeMap::new(),
            require_https: false,
            handshake: None,
            timeout_ms: TIMEOUT_MS_DEFAULT,
            success_codes: SuccessCodes::Any2xx,
            answer_rule: None,
            retry: RetryPolicy::default(),
            pause_after_failures: None,
            pause_on_gone: true,
            keep_days: None,
            notify_on_failure: false,
            state: SubscriptionState::Active,
            pause_reason: None,
            pause_detail: None,
            handshake_report: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// The state of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// Never activated: it receives no events.
    Draft,
    /// Waiting for its endpoint to pass the handshake: it receives no events.
    Verifying,
    /// It receives events, and its deliveries are sent.
    Active,
    /// It receives no events; its deliveries are held until it is activated.
    Paused,
    /// Deleted; the row is kept for its deliveries.
    Deleted,
}

impl SubscriptionState {
    /// The state's name in the store and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Verifying => "verifying",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Deleted => "deleted",
        }
    }
}

/// The reason why a subscription is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// A caller requested it.
    Requested,
    /// The receiver answered 410 Gone (Standard Webhooks 1.0.0: disable the endpoint).
    Gone,
    /// The number of failed deliveries in a row reached the owner's limit.
    Failures,
    /// The number of failures of its plugin in a row reached the owner's limit.
    PluginFailures,
    /// Its condition needed more work or memory than it may use, or could not be parsed, for too many events in a row.
    Condition,
}

/// A method that a delivery can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// The default.
    Post,
    /// For receivers that replace a resource.
    Put,
    /// For receivers that change a resource.
    Patch,
    /// Without a body; the fields are sent in the query.
    Get,
}

impl Method {
    /// Returns the method as written in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Get => "GET",
        }
    }
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Get => Self::GET,
        }
    }
}

impl FromStr for Method {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        [Self::Post, Self::Put, Self::Patch, Self::Get]
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or_else(|| Invalid::new("a method is POST, PUT, PATCH or GET"))
    }
}

/// The body's content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentType {
    /// JSON.
    #[serde(rename = "application/json")]
    Json,
    /// Form-encoded.
    #[serde(rename = "application/x-www-form-urlencoded")]
    Form,
    /// Plain text.
    #[serde(rename = "text/plain")]
    Text,
}

impl ContentType {
    /// Returns the media type, without parameters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Text => "text/plain",
        }
    }
}

/// A selection of an event's fields for the plugin, by JSONPath (RFC 9535) over its data.
///
/// With `include`, only what a path finds is kept, in its place; then what a path of `exclude` finds is removed. If both
/// are empty, the data passes unchanged, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldSelection {
    /// Paths to keep; empty keeps all.
    #[serde(default)]
    pub include: Vec<String>,
    /// Paths to remove.
    #[serde(default)]
    pub exclude: Vec<String>,
}

impl FieldSelection {
    /// Whether it selects everything.
    pub fn is_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }
}

/// A header that every request of a subscription carries. It wins over a plugin's header of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether the value is secret: neither the API nor the history shows it.
    #[serde(default)]
    pub secret: bool,
}

/// The schedule of retries after failed attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Seconds between one attempt's end and the next: one entry per retry, at most 20, each at most 7 days. Empty for a
    /// single attempt.
    pub schedule_s: Vec<u32>,
    /// The random extension of a wait, in percent, so that deliveries that failed together are not retried together: 0 to
    /// 100.
    pub jitter_percent: u8,
}

impl Default for RetryPolicy {
    /// The example of Standard Webhooks 1.0.0 ("Retries"): ten attempts over about three days.
    fn default() -> Self {
        const MINUTE: u32 = 60;
        const HOUR: u32 = 60 * MINUTE;
        Self {
            schedule_s: vec![
                5,
                5 * MINUTE,
                30 * MINUTE,
                2 * HOUR,
                5 * HOUR,
                10 * HOUR,
                14 * HOUR,
                20 * HOUR,
                24 * HOUR,
            ],
            jitter_percent: 10,
        }
    }
}
