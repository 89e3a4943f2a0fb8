//! A subscription as callers write it, and what is right in it.
//!
//! Creating and changing read the same members with the same checks: a change is merged into the subscription as it is
//! shown, and the whole is read again.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::Api;
use super::super::number::Whole;
use super::super::plugins;
use super::super::problem::{Code, Problem};
use super::super::schema;
use super::super::{check_description, check_name};
use super::{document, rules};
use crate::matching::Condition;
use crate::model::{
    AnswerRule, Batch, ContentType, CustomHeader, FieldSelection, Handshake, HandshakeKind, Method, Pattern,
    PluginName, PluginRef, PluginVersion, QueryParameter, RetryPolicy, Secret, Signing, SpaceId, Subscription,
    SubscriptionId, SubscriptionState, SuccessCodes, Trigger,
};
use crate::transform::request::{check_header_name, check_header_value, check_url};
use crate::transform::seal::MASK;
use crate::transform::select::Selector;

/// 30 days: the longest delay.
const DELAY_S_MAX: u32 = 30 * 24 * 60 * 60;
/// 7 days: the longest wait between two attempts.
const RETRY_S_MAX: u32 = 7 * 24 * 60 * 60;
const RETRIES_MAX: usize = 20;
/// The default of Standard Webhooks' libraries, within what receivers' own platforms allow them.
const TIMEOUT_MS_DEFAULT: u32 = 15_000;
/// Long enough for an endpoint that wakes up first.
const HANDSHAKE_MS_DEFAULT: u32 = 10_000;
const EVENT_TYPES_MAX: usize = 100;
const HEADERS_MAX: usize = 50;
/// What the contract with plugins says of a configuration.
const CONFIG_BYTES_MAX: usize = 256 << 10;

/// A subscription to be created. A member that is left out or null has its default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionInput {
    /// For people: 1 to 200 characters.
    #[schema(required, nullable = false, max_length = 200)]
    name: Option<String>,
    /// For people: at most 2,000 characters.
    description: Option<String>,
    /// Whose defaults it takes where nothing else is said: `standard`, or one of `GET /v1/profiles`. Stays as it is.
    profile: Option<String>,
    /// Which generation of the profile, from 1. Stays as it is.
    #[schema(value_type = Option<u32>, minimum = 1)]
    generation: Option<Whole<1, 100>>,
    /// On creation: `draft` is not activated, `active` (the default) is at once.
    state: Option<NewState>,
    /// Where to send: http or https, without user, password or fragment.
    #[schema(required, nullable = false)]
    url: Option<String>,
    /// The method, if the plugin does not choose one: POST, PUT, PATCH or GET; POST by default.
    #[schema(value_type = Option<String>)]
    method: Option<Method>,
    /// Which types of events, 1 to 100 of them: `lead.created`, `lead.*` or `*`. A draft may have none yet.
    #[schema(value_type = Vec<String>, required, nullable = false)]
    event_types: Option<Vec<Pattern>>,
    /// What must have changed: any of some fields, or the status.
    #[schema(value_type = Option<document::Trigger>)]
    trigger: Option<Trigger>,
    /// A CEL expression over `event` that must be true: `event.data.value > 1000`.
    condition: Option<String>,
    /// Which of the event's fields the plugin sees; all by default.
    fields: Option<FieldsInput>,
    /// `application/json` (the default), `application/x-www-form-urlencoded` or `text/plain`.
    #[schema(value_type = Option<String>)]
    content_type: Option<ContentType>,
    /// Headers that every request carries: at most 50.
    headers: Option<Vec<HeaderInput>>,
    /// Parameters that are appended to the URL's query: at most 20.
    #[schema(value_type = Option<Vec<document::QueryParameter>>)]
    query: Option<Vec<QueryParameter>>,
    /// Seconds between an event's acceptance and the first attempt; 0 by default.
    #[schema(value_type = Option<u32>, maximum = 2_592_000)]
    delay_s: Option<Whole<0, DELAY_S_MAX>>,
    /// How events of one type are gathered into one delivery, after which its delay begins; alone by default.
    #[schema(value_type = Option<document::Batch>)]
    batch: Option<Batch>,
    /// What shapes the request; the default shapes without one.
    plugin: Option<PluginInput>,
    /// How requests are signed; as Standard Webhooks has it by default.
    #[schema(value_type = Option<document::Signing>)]
    signing: Option<Signing>,
    /// The signing secret, `whsec_…` for Standard Webhooks; made by the host if it is left out. Changed by
    /// `rotate-secret`, or together with `signing`.
    #[schema(value_type = Option<String>)]
    secret: Option<Secret>,
    /// Secrets that the plugin may put into headers and body without knowing them, by name: at most 20. In a change,
    /// `***` keeps the value.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    sealed_secrets: Option<BTreeMap<String, Secret>>,
    /// Whether the URL must be https; false by default.
    require_https: Option<bool>,
    /// What the endpoint is asked on every activation; nothing by default.
    handshake: Option<HandshakeInput>,
    /// Milliseconds until the whole answer must have come; 15,000 by default.
    #[schema(value_type = Option<u32>, minimum = 1_000, maximum = 60_000)]
    timeout_ms: Option<Whole<1_000, 60_000>>,
    /// Which statuses are success: `2xx` (the default), or codes with commas between.
    #[schema(value_type = Option<String>)]
    success_codes: Option<SuccessCodes>,
    /// How a failure is read in an answer's body, whatever its status; not at all by default.
    #[schema(value_type = Option<document::AnswerRule>)]
    answer_rule: Option<AnswerRule>,
    /// When to try again; ten attempts over three days by default.
    retry: Option<RetryInput>,
    /// After how many failed deliveries in a row it is paused; 0, the default, is never.
    #[schema(value_type = Option<u32>, maximum = 1_000)]
    pause_after_failures: Option<Whole<0, 1_000>>,
    /// Days that what came of deliveries is kept; 0, the default, is for ever.
    #[schema(value_type = Option<u32>, maximum = 3_650)]
    keep_days: Option<Whole<0, 3_650>>,
    /// Whether the space's administrators are told when deliveries fail; false by default.
    notify_on_failure: Option<bool>,
}

/// Which of an event's fields the plugin sees, by JSONPath (RFC 9535) over its data.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FieldsInput {
    /// Paths to keep; none keeps all.
    include: Option<Vec<String>>,
    /// Paths to remove.
    exclude: Option<Vec<String>>,
}

/// A header that every request carries. It wins over a plugin's header of the same name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HeaderInput {
    /// Its name.
    name: String,
    /// Its value. In a change, `***` keeps the secret value of the header of this name.
    value: String,
    /// Whether the value is shown to nobody.
    #[serde(default)]
    #[schema(required = false)]
    secret: bool,
}

/// The plugin to use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PluginInput {
    /// Its name: of one of the space's own, or else of a bundled one.
    #[schema(value_type = String, required, nullable = false)]
    name: Option<PluginName>,
    /// Its version; the newest if it is left out. The subscription stays with it until it is changed.
    #[schema(value_type = Option<String>)]
    version: Option<PluginVersion>,
    /// Its configuration, which its schema describes: at most 256 KiB; `{}` by default.
    config: Option<Value>,
}

/// When to try again after a failed attempt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RetryInput {
    /// Seconds between one attempt's end and the next, at most 20 of them, each at most 7 days. Empty: one attempt.
    #[schema(value_type = Option<Vec<u32>>)]
    schedule_s: Option<Vec<Whole<0, RETRY_S_MAX>>>,
    /// How far a wait may be stretched at random, in percent; 10 by default.
    #[schema(value_type = Option<u32>, maximum = 100)]
    jitter_percent: Option<Whole<0, 100>>,
}

/// Whether a new subscription is activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum NewState {
    /// Not yet.
    Draft,
    /// At once.
    Active,
}

/// What the endpoint is asked on every activation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HandshakeInput {
    /// Which request: `none`, `empty_post`, `test_event`, `head` or `cloudevents`.
    #[schema(required, nullable = false)]
    kind: Option<HandshakeChoice>,
    /// Which statuses let it pass: `2xx` by default.
    #[schema(value_type = Option<String>)]
    success_codes: Option<SuccessCodes>,
    /// Milliseconds until the whole answer must have come; 10,000 by default.
    #[schema(value_type = Option<u32>, minimum = 1_000, maximum = 60_000)]
    timeout_ms: Option<Whole<1_000, 60_000>>,
}

/// Which request a handshake is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HandshakeChoice {
    /// None: it is active at once.
    None,
    /// A POST with an empty body, signed.
    EmptyPost,
    /// A test event, through the plugin, signed.
    TestEvent,
    /// A HEAD.
    Head,
    /// OPTIONS, by which the endpoint allows this host (CloudEvents).
    #[serde(rename = "cloudevents")]
    CloudEvents,
}

impl HandshakeInput {
    fn model(self) -> Result<Option<Handshake>, Problem> {
        let kind = match self.kind.ok_or_else(|| missing("/handshake/kind", "which request the endpoint is asked"))? {
            HandshakeChoice::None => return Ok(None),
            HandshakeChoice::EmptyPost => HandshakeKind::EmptyPost,
            HandshakeChoice::TestEvent => HandshakeKind::TestEvent,
            HandshakeChoice::Head => HandshakeKind::Head,
            HandshakeChoice::CloudEvents => HandshakeKind::CloudEvents,
        };
        let success_codes = self.success_codes.unwrap_or(SuccessCodes::Any2xx);
        let timeout_ms = self.timeout_ms.map_or(HANDSHAKE_MS_DEFAULT, |ms| ms.0);
        Ok(Some(Handshake { kind, success_codes, timeout_ms }))
    }
}

impl SubscriptionInput {
    /// The profile and the generation that it names.
    pub(super) fn profile(&self) -> (&str, u32) {
        (self.profile.as_deref().unwrap_or("standard"), self.generation.map_or(1, |generation| generation.0))
    }

    /// Whether members are given that a change cannot have; names the first.
    pub(super) fn only_on_creation(&self) -> Option<&'static str> {
        let given = [
            ("/profile", self.profile.is_some()),
            ("/generation", self.generation.is_some()),
            ("/state", self.state.is_some()),
            ("/secret", self.secret.is_some() && self.signing.is_none()),
        ];
        given.into_iter().find_map(|(pointer, given)| given.then_some(pointer))
    }

    /// Checks every member, and makes the subscription: a new one, or `old` changed.
    pub(super) async fn check(
        self,
        api: &Api,
        space: &SpaceId,
        old: Option<&Subscription>,
    ) -> Result<Subscription, Problem> {
        let now = api.host.clock.now();
        let (profile, generation) = self.profile();
        let profile = profile.to_owned();
        let name = self.name.ok_or_else(|| missing("/name", "a name of 1 to 200 characters"))?;
        check_name(&name)?;
        let description = self.description.unwrap_or_default();
        check_description(&description)?;
        let url = self.url.ok_or_else(|| missing("/url", "an http or https URL"))?;
        let url = check_url(&url).map_err(|right| Problem::field("/url", right))?;
        let require_https = self.require_https.unwrap_or(false);
        rules::check_https(&url, require_https)?;
        let signing = rules::signing(self.signing.unwrap_or_default())?;
        let handshake = self.handshake.map(HandshakeInput::model).transpose()?.flatten();
        let new_state = match (self.state, &handshake) {
            (Some(NewState::Draft), _) => SubscriptionState::Draft,
            (Some(NewState::Active) | None, None) => SubscriptionState::Active,
            (Some(NewState::Active) | None, Some(_)) => SubscriptionState::Verifying,
        };
        let state = old.map_or(new_state, |old| old.state);
        Ok(Subscription {
            id: old.map_or_else(|| SubscriptionId::new(now), |old| old.id),
            space: space.clone(),
            name,
            description,
            profile,
            generation,
            url,
            method: self.method.unwrap_or(Method::Post),
            event_types: event_types(self.event_types, state == SubscriptionState::Draft)?,
            trigger: rules::trigger(self.trigger)?,
            condition: condition(self.condition)?,
            fields: fields(self.fields)?,
            content_type: self.content_type.unwrap_or(ContentType::Json),
            headers: headers(self.headers.unwrap_or_default(), old)?,
            query: rules::query(self.query.unwrap_or_default())?,
            delay_s: self.delay_s.map_or(0, |delay| delay.0),
            batch: rules::batch(self.batch)?,
            plugin: plugin(api, space, self.plugin, old).await?,
            secrets: rules::secrets(&signing, self.secret, old)?,
            signing,
            sealed_secrets: rules::sealed_secrets(self.sealed_secrets.unwrap_or_default(), old)?,
            require_https,
            handshake,
            timeout_ms: self.timeout_ms.map_or(TIMEOUT_MS_DEFAULT, |timeout| timeout.0),
            success_codes: self.success_codes.unwrap_or(SuccessCodes::Any2xx),
            answer_rule: rules::answer_rule(self.answer_rule)?,
            retry: retry(self.retry)?,
            pause_after_failures: self.pause_after_failures.map(|count| count.0).filter(|count| *count > 0),
            keep_days: self.keep_days.map(|days| days.0).filter(|days| *days > 0),
            notify_on_failure: self.notify_on_failure.unwrap_or(false),
            state,
            pause_reason: old.and_then(|old| old.pause_reason),
            pause_detail: old.and_then(|old| old.pause_detail.clone()),
            handshake_report: old.and_then(|old| old.handshake_report.clone()),
            created_at: old.map_or(now, |old| old.created_at),
            updated_at: now,
        })
    }
}

fn missing(pointer: &str, right: &str) -> Problem {
    Problem::at(Code::FieldMissing, pointer, format!("missing: {right}"))
}

/// A draft's may be chosen later.
fn event_types(given: Option<Vec<Pattern>>, draft: bool) -> Result<Vec<Pattern>, Problem> {
    let given = given.or_else(|| draft.then(Vec::new));
    let given = given.ok_or_else(|| missing("/event_types", "1 to 100 event types; [\"*\"] is every one"))?;
    if (usize::from(!draft)..=EVENT_TYPES_MAX).contains(&given.len()) {
        Ok(given)
    } else {
        Err(Problem::field("/event_types", "1 to 100 event types; [\"*\"] is every one"))
    }
}

fn condition(given: Option<String>) -> Result<Option<String>, Problem> {
    if let Some(source) = &given {
        Condition::parse(source).map_err(|right| Problem::field("/condition", right))?;
    }
    Ok(given)
}

fn fields(given: Option<FieldsInput>) -> Result<FieldSelection, Problem> {
    let Some(FieldsInput { include, exclude }) = given else { return Ok(FieldSelection::default()) };
    let selection = FieldSelection { include: include.unwrap_or_default(), exclude: exclude.unwrap_or_default() };
    // One by one first, to tell which is wrong; all together after, since together they may be too many.
    for (list, paths) in [("include", &selection.include), ("exclude", &selection.exclude)] {
        for (index, path) in paths.iter().enumerate() {
            let alone = FieldSelection { include: vec![path.clone()], exclude: Vec::new() };
            Selector::compile(&alone).map_err(|right| Problem::field(format!("/fields/{list}/{index}"), right))?;
        }
    }
    Selector::compile(&selection).map_err(|right| Problem::field("/fields", right))?;
    Ok(selection)
}

fn headers(given: Vec<HeaderInput>, old: Option<&Subscription>) -> Result<Vec<CustomHeader>, Problem> {
    if given.len() > HEADERS_MAX {
        return Err(Problem::field("/headers", format!("at most {HEADERS_MAX} headers")));
    }
    let mut headers: Vec<CustomHeader> = Vec::with_capacity(given.len());
    for (index, header) in given.into_iter().enumerate() {
        let at = |member: &str| format!("/headers/{index}/{member}");
        check_header_name(&header.name).map_err(|right| Problem::field(at("name"), right))?;
        if headers.iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&header.name)) {
            return Err(Problem::field(at("name"), format!("the header `{}` stands here twice", header.name)));
        }
        check_header_value(&header.value).map_err(|right| Problem::field(at("value"), right))?;
        headers.push(unmasked(header, old).map_err(|right| Problem::field(at("value"), right))?);
    }
    Ok(headers)
}

/// The header, with the value that it had if `***` is given.
fn unmasked(header: HeaderInput, old: Option<&Subscription>) -> Result<CustomHeader, &'static str> {
    let HeaderInput { name, value, secret } = header;
    if value != MASK {
        return Ok(CustomHeader { name, value, secret });
    }
    let mut had = old.into_iter().flat_map(|old| &old.headers);
    match had.find(|had| had.secret && had.name.eq_ignore_ascii_case(&name)) {
        Some(_) if !secret => Err("a secret value cannot be made public: give the value anew"),
        Some(had) => Ok(CustomHeader { name, value: had.value.clone(), secret }),
        None => Err("*** stands for the secret value that a header of this name has, and there is none"),
    }
}

async fn plugin(
    api: &Api,
    space: &SpaceId,
    given: Option<PluginInput>,
    old: Option<&Subscription>,
) -> Result<Option<PluginRef>, Problem> {
    let Some(PluginInput { name, version, config }) = given else { return Ok(None) };
    let name = name.ok_or_else(|| missing("/plugin/name", "the plugin's name"))?;
    let config = config.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    // What is not touched stays as it was saved, even if it could not be had today.
    if let Some(had) = old.and_then(|old| old.plugin.as_ref())
        && had.name == name
        && Some(&had.version) == version.as_ref()
        && had.config == config
    {
        return Ok(Some(had.clone()));
    }
    if config.to_string().len() > CONFIG_BYTES_MAX {
        let right = format!("a configuration has at most {CONFIG_BYTES_MAX} bytes");
        return Err(Problem::field("/plugin/config", right));
    }
    let plugin = plugins::choose(api, space, &name, version.as_ref()).await?;
    schema::check(&plugin.config_schema, &config, "/plugin/config").await?;
    Ok(Some(PluginRef { name, version: plugin.version, digest: plugin.digest, config }))
}

fn retry(given: Option<RetryInput>) -> Result<RetryPolicy, Problem> {
    let default = RetryPolicy::default();
    let Some(RetryInput { schedule_s, jitter_percent }) = given else { return Ok(default) };
    let schedule_s = match schedule_s {
        Some(waits) if waits.len() > RETRIES_MAX => {
            return Err(Problem::field("/retry/schedule_s", format!("at most {RETRIES_MAX} retries")));
        }
        Some(waits) => waits.into_iter().map(|wait| wait.0).collect(),
        None => default.schedule_s,
    };
    let jitter = jitter_percent.and_then(|percent| u8::try_from(percent.0).ok());
    Ok(RetryPolicy { schedule_s, jitter_percent: jitter.unwrap_or(default.jitter_percent) })
}
