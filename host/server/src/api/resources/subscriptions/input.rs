//! A subscription as callers write it, and what is right in it.
//!
//! Creating and changing read the same members with the same checks: a change is merged into the subscription as it is
//! shown, and the whole is read again.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::names::{ContentTypeName, MethodName};
use super::parts::{FieldsInput, HandshakeInput, HeaderInput, RetryInput};
use super::plugin::PluginInput;
use super::{document, parts, plugin, rules};
use crate::api::http::number::Whole;
use crate::api::{Api, check_description, check_name};
use crate::error::{Code, Error};
use crate::stages::delay::DELAY_S_MAX;
use crate::stages::matching::Condition;
use crate::stages::request::check_url;
use hookmill_model::{
    AnswerRule, Batch, ContentType, Method, Pattern, QueryParameter, Secret, SpaceId, Subscription, SubscriptionId,
    SubscriptionState, SuccessCodes, TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX, Trigger,
};

const EVENT_TYPES_MAX: usize = 100;

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
    #[schema(value_type = Option<MethodName>)]
    method: Option<Method>,
    /// Which types of events, 1 to 100 of them: `lead.created`, `lead.*` or `*`. A draft may have none yet.
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    event_types: Option<Vec<Pattern>>,
    /// What must have changed: any of some fields, or the status.
    #[schema(value_type = Option<document::Trigger>)]
    trigger: Option<Trigger>,
    /// A CEL expression over `event` that must be true: `event.data.value > 1000`.
    condition: Option<String>,
    /// Which of the event's fields the plugin sees; all by default.
    fields: Option<FieldsInput>,
    /// `application/json` (the default), `application/x-www-form-urlencoded` or `text/plain`.
    #[schema(value_type = Option<ContentTypeName>)]
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
    signing: Option<Value>,
    /// The signing secret, `whsec_…` for Standard Webhooks; made by the host if it is left out. Changed by
    /// `rotate-secret`, or together with `signing`.
    #[schema(value_type = Option<String>)]
    secret: Option<Secret>,
    /// Secrets that the plugin may put into headers and body without knowing them, by name: at most 19. In a change,
    /// `***` keeps the value.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    sealed_secrets: Option<BTreeMap<String, Secret>>,
    /// Whether the URL must be https; false by default.
    require_https: Option<bool>,
    /// What the endpoint is asked on every activation; nothing by default.
    handshake: Option<HandshakeInput>,
    /// Milliseconds until the whole answer must have come; 15,000 by default.
    #[schema(value_type = Option<u32>, minimum = 1_000, maximum = 60_000)]
    timeout_ms: Option<Whole<1_000, TIMEOUT_MS_MAX>>,
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
    /// Whether an answer 410 Gone ends its delivery and pauses the subscription, as Standard Webhooks has it; true by
    /// default.
    pause_on_gone: Option<bool>,
    /// Days that what came of deliveries is kept; 0, the default, is for ever.
    #[schema(value_type = Option<u32>, maximum = 3_650)]
    keep_days: Option<Whole<0, 3_650>>,
    /// Whether the space's administrators are told when deliveries fail; false by default.
    notify_on_failure: Option<bool>,
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

impl SubscriptionInput {
    /// The profile and the generation that it names.
    pub(super) fn profile(&self) -> (&str, u32) {
        (self.profile.as_deref().unwrap_or("standard"), self.generation.map_or(1, |generation| generation.0))
    }

    /// Whether members are given that a change cannot have; names the first.
    pub(super) fn only_on_creation(&self, patch: &Map<String, Value>) -> Option<&'static str> {
        let given = [
            ("/profile", patch.contains_key("profile")),
            ("/generation", patch.contains_key("generation")),
            ("/state", patch.contains_key("state")),
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
    ) -> Result<Subscription, Error> {
        let now = api.host.clock.now();
        let (profile, generation) = self.profile();
        let profile = profile.to_owned();
        let name = self.name.ok_or_else(|| missing("/name", "a name of 1 to 200 characters"))?;
        check_name(&name)?;
        let description = self.description.unwrap_or_default();
        check_description(&description)?;
        let url = self.url.ok_or_else(|| missing("/url", "an http or https URL"))?;
        let url = check_url(&url).map_err(|right| Error::field("/url", right))?;
        let require_https = self.require_https.unwrap_or(false);
        rules::check_https(&url, require_https)?;
        let signing = rules::signing(self.signing)?;
        let handshake = self.handshake.map(HandshakeInput::model).transpose()?.flatten();
        let new_state = match (self.state, &handshake) {
            (Some(NewState::Draft), _) => SubscriptionState::Draft,
            (Some(NewState::Active) | None, None) => SubscriptionState::Active,
            (Some(NewState::Active) | None, Some(_)) => SubscriptionState::Verifying,
        };
        let state = old.map_or(new_state, |old| old.state);
        let plugin = plugin::chosen(api, space, self.plugin, old).await?;
        let mut checked = Subscription {
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
            fields: parts::fields(self.fields)?,
            content_type: self.content_type.unwrap_or(ContentType::Json),
            headers: parts::headers(self.headers.unwrap_or_default(), old)?,
            query: rules::query(self.query.unwrap_or_default())?,
            delay_s: self.delay_s.map_or(0, |delay| delay.0),
            batch: rules::batch(self.batch)?,
            plugin: old.and_then(|old| old.plugin.clone()),
            plugin_history: old.map(|old| old.plugin_history.clone()).unwrap_or_default(),
            shadow: old.and_then(|old| old.shadow.clone()),
            secrets: rules::secrets(&signing, self.secret, old)?,
            signing,
            sealed_secrets: rules::sealed_secrets(self.sealed_secrets.unwrap_or_default(), old)?,
            require_https,
            handshake,
            timeout_ms: self.timeout_ms.map_or(TIMEOUT_MS_DEFAULT, |timeout| timeout.0),
            success_codes: self.success_codes.unwrap_or(SuccessCodes::Any2xx),
            answer_rule: rules::answer_rule(self.answer_rule)?,
            retry: parts::retry(self.retry)?,
            pause_after_failures: self.pause_after_failures.map(|count| count.0).filter(|count| *count > 0),
            pause_on_gone: self.pause_on_gone.unwrap_or(true),
            keep_days: self.keep_days.map(|days| days.0).filter(|days| *days > 0),
            notify_on_failure: self.notify_on_failure.unwrap_or(false),
            state,
            pause_reason: old.and_then(|old| old.pause_reason),
            pause_detail: old.and_then(|old| old.pause_detail.clone()),
            handshake_report: old.and_then(|old| old.handshake_report.clone()),
            created_at: old.map_or(now, |old| old.created_at),
            updated_at: now,
        };
        checked.set_plugin(plugin);
        Ok(checked)
    }
}

pub(super) fn missing(pointer: &str, right: &str) -> Error {
    Error::at(Code::FieldMissing, pointer, format!("missing: {right}"))
}

/// A draft's may be chosen later.
fn event_types(given: Option<Vec<Pattern>>, draft: bool) -> Result<Vec<Pattern>, Error> {
    let given = given.or_else(|| draft.then(Vec::new));
    let given = given.ok_or_else(|| missing("/event_types", "1 to 100 event types; [\"*\"] is every one"))?;
    if (usize::from(!draft)..=EVENT_TYPES_MAX).contains(&given.len()) {
        Ok(given)
    } else {
        Err(Error::field("/event_types", "1 to 100 event types; [\"*\"] is every one"))
    }
}

fn condition(given: Option<String>) -> Result<Option<String>, Error> {
    if let Some(source) = &given {
        Condition::parse(source).map_err(|right| Error::field("/condition", right))?;
    }
    Ok(given)
}
