//! A subscription: who wants which events, where, when and in what shape.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use super::{EventType, Invalid, PluginRef, Secret, SpaceId, SubscriptionId};

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
    /// Where to send: http or https, without user, password or fragment.
    pub url: Url,
    /// The method, if the plugin does not choose one.
    pub method: Method,
    /// Which types of events: at least one.
    pub event_types: Vec<Pattern>,
    /// A CEL expression over `event` that must be true.
    pub condition: Option<String>,
    /// Which of the event's fields the plugin sees.
    pub fields: FieldSelection,
    /// The body's content type, for the default shapes and for plugins that ask.
    pub content_type: ContentType,
    /// Headers that every request carries.
    pub headers: Vec<CustomHeader>,
    /// Seconds between an event's acceptance and the first attempt: 0 to 30 days.
    pub delay_s: u32,
    /// What shapes the request; the default shapes if none.
    pub plugin: Option<PluginRef>,
    /// Signing secrets, newest first: one, or several during a rotation.
    pub secrets: Vec<Secret>,
    /// Milliseconds until the whole answer must have come.
    pub timeout_ms: u32,
    /// Which statuses are success.
    pub success_codes: SuccessCodes,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Whether the space's administrators are told when deliveries fail.
    #[serde(default)]
    pub notify_on_failure: bool,
    /// Whether it wants events now.
    pub state: SubscriptionState,
    /// Why it is paused, if it is.
    pub pause_reason: Option<PauseReason>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed by a caller.
    pub updated_at: Timestamp,
}

/// The default of Standard Webhooks' libraries, within what receivers' own platforms allow them.
const TIMEOUT_MS_DEFAULT: u32 = 15_000;

impl Subscription {
    /// A subscription with nothing but what it must have: active, everything else as it is by default.
    pub fn new(space: SpaceId, name: &str, url: Url, event_types: Vec<Pattern>, now: Timestamp) -> Self {
        Self {
            id: SubscriptionId::new(now),
            space,
            name: name.to_owned(),
            description: String::new(),
            url,
            method: Method::Post,
            event_types,
            condition: None,
            fields: FieldSelection::default(),
            content_type: ContentType::Json,
            headers: Vec::new(),
            delay_s: 0,
            plugin: None,
            secrets: vec![Secret::generate()],
            timeout_ms: TIMEOUT_MS_DEFAULT,
            success_codes: SuccessCodes::Any2xx,
            retry: RetryPolicy::default(),
            notify_on_failure: false,
            state: SubscriptionState::Active,
            pause_reason: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// Whether a subscription wants events now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
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

/// Which event types a subscription wants: `lead.create`, everything below a word (`lead.*`), or everything (`*`).
///
/// `lead.*` covers `lead.create` and `lead.task.create`, but not `lead` itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Every event.
    All,
    /// Every event whose type starts with these words and has at least one more.
    Below(EventType),
    /// This type alone.
    Exactly(EventType),
}

impl Pattern {
    /// Parses a pattern. A star stands alone or as the last word.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text == "*" {
            return Ok(Self::All);
        }
        let parsed = match text.strip_suffix(".*") {
            Some(words) => EventType::parse(words).map(Self::Below),
            None => EventType::parse(text).map(Self::Exactly),
        };
        parsed.map_err(|_| {
            Invalid::new(format!("`{}` is no event type, nor `*`, nor a type followed by `.*`", text.escape_debug()))
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Below(words) => write!(f, "{words}.*"),
            Self::Exactly(kind) => write!(f, "{kind}"),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
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

/// Which HTTP statuses are success: `2xx`, or a list such as `200,204`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuccessCodes {
    /// 200 to 299, as Standard Webhooks has it.
    Any2xx,
    /// These alone, each 200 to 299.
    Only(Vec<u16>),
}

impl SuccessCodes {
    /// Parses `2xx` or `200,204`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("success codes are `2xx`, or codes from 200 to 299 with commas between: `200,204`");
        if text == "2xx" {
            return Ok(Self::Any2xx);
        }
        let code = |code: &str| code.trim().parse().ok().filter(|code| (200..300).contains(code));
        let codes: Option<Vec<u16>> = text.split(',').map(code).collect();
        codes.filter(|codes| codes.len() <= 100).map(Self::Only).ok_or_else(wrong)
    }

    /// Whether this status is success.
    pub fn contains(&self, status: u16) -> bool {
        match self {
            Self::Any2xx => (200..300).contains(&status),
            Self::Only(codes) => codes.contains(&status),
        }
    }
}

impl fmt::Display for SuccessCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any2xx => f.write_str("2xx"),
            Self::Only(codes) => {
                let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
                f.write_str(&codes.join(","))
            }
        }
    }
}

impl Serialize for SuccessCodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SuccessCodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
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
