//! Checks of a definition, which make a subscription of it.

use hookmill_model::{
    ContentType, Handshake, HandshakeKind, Method, Pattern, SpaceId, Subscription, SubscriptionId, SubscriptionState,
    SuccessCodes, TIMEOUT_MS_DEFAULT,
};

use super::definition::{Definition, HandshakeChoice, HandshakeInput, NewState};
use super::{plugin, rules};
use crate::error::{Code, Error};
use crate::host::Host;
use crate::stages::matching::Condition;
use crate::stages::request::check_url;
use crate::task::long_in_turn;
use crate::texts::{check_description, check_name};

/// Leaves an endpoint time to wake up.
const HANDSHAKE_MS_DEFAULT: u32 = 10_000;
const EVENT_TYPES_MAX: usize = 100;

impl Definition {
    /// Checks every member, and makes the subscription: a new one, or `old` changed.
    ///
    /// # Errors
    /// If a member is wrong; names it.
    pub(super) async fn check(
        self,
        host: &Host,
        space: &SpaceId,
        old: Option<&Subscription>,
    ) -> Result<Subscription, Error> {
        let now = host.clock.now();
        let name = self.name.ok_or_else(|| missing("/name", "a name of 1 to 200 characters"))?;
        check_name(&name)?;
        let description = self.description.unwrap_or_default();
        check_description(&description)?;
        let url = self.url.ok_or_else(|| missing("/url", "an http or https URL"))?;
        let url = check_url(&url).map_err(|right| Error::field("/url", right))?;
        let require_https = self.require_https.unwrap_or(false);
        rules::check_https(&url, require_https)?;
        let signing = rules::signing(self.signing)?;
        let handshake = self.handshake.map(handshake).transpose()?.flatten();
        let new_state = match (self.state, &handshake) {
            (Some(NewState::Draft), _) => SubscriptionState::Draft,
            (Some(NewState::Active) | None, None) => SubscriptionState::Active,
            (Some(NewState::Active) | None, Some(_)) => SubscriptionState::Verifying,
        };
        let state = old.map_or(new_state, |old| old.state);
        if old.is_some_and(|old| old.url.origin() != url.origin()) {
            rules::check_secrets_given_again(self.headers.as_deref(), self.sealed_secrets.as_ref())?;
        }
        let plugin = plugin::chosen(host, space, self.plugin, old).await?;
        let mut checked = Subscription {
            id: old.map_or_else(|| SubscriptionId::new(now), |old| old.id),
            space: space.clone(),
            name,
            description,
            profile: self.profile.unwrap_or_else(|| "standard".to_owned()),
            generation: self.generation.map_or(1, |generation| generation.0),
            url,
            method: self.method.unwrap_or(Method::Post),
            event_types: event_types(self.event_types, state == SubscriptionState::Draft)?,
            trigger: rules::trigger(self.trigger)?,
            condition: condition(space, self.condition).await?,
            fields: rules::fields(self.fields)?,
            content_type: self.content_type.unwrap_or(ContentType::Json),
            headers: rules::headers(self.headers.unwrap_or_default(), old)?,
            query: rules::query(self.query.unwrap_or_default())?,
            delay_s: self.delay_s.map_or(0, |delay| delay.0),
            batch: rules::batch(self.batch)?,
            rate: rules::rate(self.rate)?,
            in_flight_max: self.in_flight_max.map(|count| count.0),
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
            retry: rules::retry(self.retry)?,
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

/// The error of a member that is missing.
pub(super) fn missing(pointer: &str, right: &str) -> Error {
    Error::at(Code::FieldMissing, pointer, format!("missing: {right}"))
}

/// Checks event types. A draft may have none yet.
pub(crate) fn event_types(given: Option<Vec<Pattern>>, draft: bool) -> Result<Vec<Pattern>, Error> {
    let right = "1 to 100 event types; [\"*\"] selects all";
    let given = given.or_else(|| draft.then(Vec::new)).ok_or_else(|| missing("/event_types", right))?;
    if (usize::from(!draft)..=EVENT_TYPES_MAX).contains(&given.len()) {
        Ok(given)
    } else {
        Err(Error::field("/event_types", right))
    }
}

/// Checks a condition of a space, which may take long.
pub(crate) async fn condition(space: &SpaceId, given: Option<String>) -> Result<Option<String>, Error> {
    let Some(source) = given else { return Ok(None) };
    let parsed = long_in_turn(space, move || Condition::parse(&source).map(|_| source)).await;
    parsed.map(Some).map_err(|right| Error::field("/condition", right))
}

/// Returns the handshake; none if its kind is `none`.
fn handshake(given: HandshakeInput) -> Result<Option<Handshake>, Error> {
    let kind = given.kind.ok_or_else(|| missing("/handshake/kind", "the request to make"))?;
    let kind = match kind {
        HandshakeChoice::None => return Ok(None),
        HandshakeChoice::EmptyPost => HandshakeKind::EmptyPost,
        HandshakeChoice::TestEvent => HandshakeKind::TestEvent,
        HandshakeChoice::Head => HandshakeKind::Head,
        HandshakeChoice::CloudEvents => HandshakeKind::CloudEvents,
    };
    let success_codes = given.success_codes.unwrap_or(SuccessCodes::Any2xx);
    let timeout_ms = given.timeout_ms.map_or(HANDSHAKE_MS_DEFAULT, |ms| ms.0);
    Ok(Some(Handshake { kind, success_codes, timeout_ms }))
}
