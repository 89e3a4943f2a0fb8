//! A subscription: who wants which events, where, when and in what shape.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    AnswerRule, Batch, Handshake, HandshakeReport, Invalid, Pattern, PluginRef, QueryParameter, Secret, Signing,
    SpaceId, SubscriptionId, SuccessCodes, Trigger,
};

/// A subscription as it is kept. Its fields are checked where it is made (`accept`), one by one, so that the error
/// names the field.
///
/// Serialising writes secrets in clear: that is for the store only, the API has a view of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose events it wants.
    pub space: SpaceId,
    /// For people: 1 to 200 characters.
    pub name: String,
    /// For people: at most 2,000 characters.
    pub description: String,
    /// The profile whose defaults it took.
    #[serde(default = "standard")]
    pub profile: String,
    /// Which generation of the profile, from 1.
    #[serde(default = "first")]
    pub generation: u32,
    /// Where to send: http or https, without user, password or fragment.
    pub url: Url,
    /// The method, if the plugin does not choose one.
    pub method: Method,
    /// Which types of events: at least one.
    pub event_types: Vec<Pattern>,
    /// What must have changed, if anything.
    #[serde(default)]
    pub trigger: Option<Trigger>,
    /// A CEL expression over `event` that must be true.
    pub condition: Option<String>,
    /// Which of the event's fields the plugin sees.
    pub fields: FieldSelection,
    /// The body's content type, for the default shapes and for plugins that ask.
    pub content_type: ContentType,
    /// Headers that every request carries.
    pub headers: Vec<CustomHeader>,
    /// What is appended to the URL's query.
    #[serde(default)]
    pub query: Vec<QueryParameter>,
    /// Seconds between an event's acceptance and the first attempt: 0 to 30 days.
    pub delay_s: u32,
    /// Whether and how events are gathered.
    #[serde(default)]
    pub batch: Option<Batch>,
    /// What shapes the request; the default shapes if none.
    pub plugin: Option<PluginRef>,
    /// What shaped it before, newest last: each entry is what a change of plugin replaced.
    #[serde(default)]
    pub plugin_history: Vec<PluginRef>,
    /// What runs beside the plugin on live events, without sending.
    #[serde(default)]
    pub shadow: Option<PluginRef>,
    /// How requests are signed.
    #[serde(default)]
    pub signing: Signing,
    /// Signing secrets, newest first: one, or several during a rotation.
    pub secrets: Vec<Secret>,
    /// Secrets that the plugin may ask a placeholder for, by name.
    #[serde(default)]
    pub sealed_secrets: BTreeMap<String, Secret>,
    /// Whether the URL must be https.
    #[serde(default)]
    pub require_https: bool,
    /// What the endpoint must answer on activation, if anything.
    #[serde(default)]
    pub handshake: Option<Handshake>,
    /// Milliseconds until the whole answer must have come.
    pub timeout_ms: u32,
    /// Which statuses are success.
    pub success_codes: SuccessCodes,
    /// How a failure is read in an answer's body, if it is.
    #[serde(default)]
    pub answer_rule: Option<AnswerRule>,
    /// When to try again.
    pub retry: RetryPolicy,
    /// After how many failed deliveries in a row it is paused; never, if there is no number.
    #[serde(default)]
    pub pause_after_failures: Option<u32>,
    /// Whether an answer 410 ends its delivery and pauses it, as Standard Webhooks has it; else it is a failure like any.
    #[serde(default = "yes")]
    pub pause_on_gone: bool,
    /// Days that what came of its deliveries is kept; for ever, if there is no number.
    #[serde(default)]
    pub keep_days: Option<u32>,
    /// Whether the space's administrators are told when deliveries fail.
    #[serde(default)]
    pub notify_on_failure: bool,
    /// Whether it wants events now.
    pub state: SubscriptionState,
    /// Why it is paused, if it is.
    pub pause_reason: Option<PauseReason>,
    /// What led to the pause, in words.
    #[serde(default)]
    pub pause_detail: Option<String>,
    /// What came of the last handshake, if there was one.
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

/// The default timeout: that of Standard Webhooks' libraries, within what receivers' own platforms allow them.
pub const TIMEOUT_MS_DEFAULT: u32 = 15_000;

/// The longest timeout. A lease outlasts it.
pub const TIMEOUT_MS_MAX: u32 = 60_000;

/// The name under which a plugin always finds the newest signing secret.
pub const SIGNING_SECRET: &str = "signing";

impl Subscription {
    /// The secret of this name: a sealed one, or the newest signing secret.
    pub fn sealed_secret(&self, name: &str) -> Option<&Secret> {
        if name == SIGNING_SECRET { self.secrets.first() } else { self.sealed_secrets.get(name) }
    }

    /// The names of the secrets that a plugin may ask for.
    pub fn sealed_names(&self) -> Vec<&str> {
        std::iter::once(SIGNING_SECRET).chain(self.sealed_secrets.keys().map(String::as_str)).collect()
    }

    /// A subscription with nothing but what it must have: active, everything else as it is by default.
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

/// Whether a subscription wants events now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// Was never activated: events pass it by.
    Draft,
    /// Waits for its endpoint to pass the handshake: events pass it by.
    Verifying,
    /// Events match it, deliveries are sent.
    Active,
    /// Events pass it by; deliveries that it has wait until it is activated.
    Paused,
    /// Gone, kept for its deliveries' sake.
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

/// Why a subscription is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// A caller asked for it.
    Requested,
    /// The receiver answered 410 Gone (Standard Webhooks 1.0.0: disable the endpoint).
    Gone,
    /// As many deliveries in a row failed as its owner allows.
    Failures,
    /// Its plugin failed as many times in a row as its owner allows.
    PluginFailures,
}

/// A method that a delivery can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// The usual one.
    Post,
    /// For receivers that want to replace something.
    Put,
    /// For receivers that want to change something.
    Patch,
    /// Without a body; the fields go into the query.
    Get,
}

impl Method {
    /// The method as it stands in a request line.
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
    /// The media type, without parameters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Text => "text/plain",
        }
    }
}

/// Which of an event's fields the plugin sees, by JSONPath (RFC 9535) over its data.
///
/// With `include`, only what a path finds is kept, at its place; then what a path of `exclude` finds is removed. Both
/// empty: the data passes untouched, byte for byte.
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
    /// Whether it changes nothing.
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
    /// Whether the value is shown to nobody: not by the API, not in the history.
    #[serde(default)]
    pub secret: bool,
}

/// When to try again after a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Seconds between one attempt's end and the next: as many entries as there are retries, at most 20, each at most
    /// 7 days. Empty: one attempt and no more.
    pub schedule_s: Vec<u32>,
    /// How far a wait may be stretched at random, in percent, so that many deliveries that failed together do not come
    /// back together: 0 to 100.
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
