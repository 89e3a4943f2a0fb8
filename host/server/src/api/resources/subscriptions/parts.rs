//! The parts of a subscription that callers write otherwise than they are kept, and what is right in them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::missing;
use crate::api::http::number::Whole;
use crate::error::Error;
use crate::stages::request::{check_header_name, check_header_value};
use crate::stages::seal::MASK;
use crate::stages::select::Selector;
use hookmill_model::{
    CustomHeader, FieldSelection, Handshake, HandshakeKind, RetryPolicy, Subscription, SuccessCodes, TIMEOUT_MS_MAX,
};

/// 7 days: the longest wait between two attempts.
const RETRY_S_MAX: u32 = 7 * 24 * 60 * 60;
const RETRIES_MAX: usize = 20;
const HEADERS_MAX: usize = 50;
/// Long enough for an endpoint that wakes up first.
const HANDSHAKE_MS_DEFAULT: u32 = 10_000;

/// Which of an event's fields the plugin sees, by JSONPath (RFC 9535) over its data.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldsInput {
    /// Paths to keep; none keeps all.
    include: Option<Vec<String>>,
    /// Paths to remove.
    exclude: Option<Vec<String>>,
}

/// A header that every request carries. It wins over a plugin's header of the same name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderInput {
    /// Its name.
    name: String,
    /// Its value. In a change, `***` keeps the secret value of the header of this name.
    value: String,
    /// Whether the value is shown to nobody.
    #[serde(default)]
    #[schema(required = false)]
    secret: bool,
}

/// When to try again after a failed attempt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryInput {
    /// Seconds between one attempt's end and the next, at most 20 of them, each at most 7 days. Empty: one attempt.
    #[schema(value_type = Option<Vec<u32>>)]
    schedule_s: Option<Vec<Whole<0, RETRY_S_MAX>>>,
    /// How far a wait may be stretched at random, in percent; 10 by default.
    #[schema(value_type = Option<u32>, maximum = 100)]
    jitter_percent: Option<Whole<0, 100>>,
}

/// What the endpoint is asked on every activation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandshakeInput {
    /// Which request: `none`, `empty_post`, `test_event`, `head` or `cloudevents`.
    #[schema(nullable = false)]
    kind: Option<HandshakeChoice>,
    /// Which statuses let it pass: `2xx` by default.
    #[schema(value_type = Option<String>)]
    success_codes: Option<SuccessCodes>,
    /// Milliseconds until the whole answer must have come; 10,000 by default.
    #[schema(value_type = Option<u32>, minimum = 1_000, maximum = 60_000)]
    timeout_ms: Option<Whole<1_000, TIMEOUT_MS_MAX>>,
}

/// Which request a handshake is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = HandshakeKind)]
#[serde(rename_all = "snake_case")]
pub(super) enum HandshakeChoice {
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

impl From<HandshakeKind> for HandshakeChoice {
    fn from(kind: HandshakeKind) -> Self {
        match kind {
            HandshakeKind::EmptyPost => Self::EmptyPost,
            HandshakeKind::TestEvent => Self::TestEvent,
            HandshakeKind::Head => Self::Head,
            HandshakeKind::CloudEvents => Self::CloudEvents,
        }
    }
}

impl HandshakeInput {
    pub(super) fn model(self) -> Result<Option<Handshake>, Error> {
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

pub(super) fn fields(given: Option<FieldsInput>) -> Result<FieldSelection, Error> {
    let Some(FieldsInput { include, exclude }) = given else { return Ok(FieldSelection::default()) };
    let selection = FieldSelection { include: include.unwrap_or_default(), exclude: exclude.unwrap_or_default() };
    // One by one first, to tell which is wrong; all together after, since together they may be too many.
    for (list, paths) in [("include", &selection.include), ("exclude", &selection.exclude)] {
        for (index, path) in paths.iter().enumerate() {
            let alone = FieldSelection { include: vec![path.clone()], exclude: Vec::new() };
            Selector::compile(&alone).map_err(|right| Error::field(format!("/fields/{list}/{index}"), right))?;
        }
    }
    Selector::compile(&selection).map_err(|right| Error::field("/fields", right))?;
    Ok(selection)
}

pub(super) fn headers(given: Vec<HeaderInput>, old: Option<&Subscription>) -> Result<Vec<CustomHeader>, Error> {
    if given.len() > HEADERS_MAX {
        return Err(Error::field("/headers", format!("at most {HEADERS_MAX} headers")));
    }
    let mut headers: Vec<CustomHeader> = Vec::with_capacity(given.len());
    for (index, header) in given.into_iter().enumerate() {
        let at = |member: &str| format!("/headers/{index}/{member}");
        check_header_name(&header.name).map_err(|right| Error::field(at("name"), right))?;
        if headers.iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&header.name)) {
            return Err(Error::field(at("name"), format!("the header `{}` stands here twice", header.name)));
        }
        check_header_value(&header.value).map_err(|right| Error::field(at("value"), right))?;
        headers.push(unmasked(header, old).map_err(|right| Error::field(at("value"), right))?);
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

pub(super) fn retry(given: Option<RetryInput>) -> Result<RetryPolicy, Error> {
    let default = RetryPolicy::default();
    let Some(RetryInput { schedule_s, jitter_percent }) = given else { return Ok(default) };
    let schedule_s = match schedule_s {
        Some(waits) if waits.len() > RETRIES_MAX => {
            return Err(Error::field("/retry/schedule_s", format!("at most {RETRIES_MAX} retries")));
        }
        Some(waits) => waits.into_iter().map(|wait| wait.0).collect(),
        None => default.schedule_s,
    };
    let jitter = jitter_percent.and_then(|percent| u8::try_from(percent.0).ok());
    Ok(RetryPolicy { schedule_s, jitter_percent: jitter.unwrap_or(default.jitter_percent) })
}
