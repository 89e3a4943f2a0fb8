//! Rules for the parts of a definition.

use std::collections::BTreeMap;

use hookmill_model::{
    AnswerRule, Batch, CustomHeader, FieldSelection, HmacScheme, Invalid, QueryParameter, Rate, RetryPolicy,
    SIGNING_SECRET, Secret, Signing, Subscription, Trigger,
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::definition::{FieldsInput, HeaderInput, RetryInput};
use crate::error::Error;
use crate::json;
use crate::stages::matching::check_trigger;
use crate::stages::request::{check_header_name, check_header_value};
use crate::stages::seal::MASK;
use crate::stages::select::Selector;
use crate::stages::sign::{PREFIX_SLOTS, SIGNED_SLOTS};

/// More than a host sends to one receiver in a second; over an hour, 28 a second.
const RATE_MAX: u32 = 100_000;
/// More than any receiver reads.
const QUERY_MAX: usize = 20;
const QUERY_NAME_BYTES_MAX: usize = 128;
const HEADERS_MAX: usize = 50;
const RETRIES_MAX: usize = 20;
/// Together with the signing secret as many as one transform may use.
const SEALED_MAX: usize = 19;
/// One hour: a longer window calls for a report and not for a webhook.
const WINDOW_S_MAX: u32 = 60 * 60;
/// A plugin holds all of them in memory.
const BATCH_MAX: u32 = 1_000;
const BATCH_TYPES_MAX: usize = 100;
/// Longer than any that a person writes.
const POINTER_BYTES_MAX: usize = 256;

/// Checks that the URL is https, if it must be.
pub(super) fn check_https(url: &Url, required: bool) -> Result<(), Error> {
    if required && url.scheme() != "https" {
        return Err(Error::field("/url", "the URL must start with https:// (`require_https` is on)"));
    }
    Ok(())
}

/// The member `signing` of a definition: errors in it name the whole path.
#[derive(Deserialize)]
struct AtSigning<T> {
    signing: T,
}

/// Reads a signing scheme. For a tagged enum, serde does not report which member is wrong. The variant with many
/// members is therefore read without its tag.
fn read_signing(mut given: Value) -> Result<Signing, Error> {
    if given.get("scheme").is_some_and(|scheme| scheme == "hmac") {
        given.as_object_mut().map(|members| members.shift_remove("scheme"));
        let AtSigning { signing } = json::from_value(serde_json::json!({ "signing": given }))?;
        return Ok(Signing::Hmac(signing));
    }
    let AtSigning { signing } = json::from_value(serde_json::json!({ "signing": given }))?;
    Ok(signing)
}

/// Reads a signing scheme and checks it.
pub(super) fn signing(given: Option<Value>) -> Result<Signing, Error> {
    let signing = given.map(read_signing).transpose()?.unwrap_or_default();
    if let Signing::Hmac(HmacScheme { header, prefix, signed, timestamp_header, .. }) = &signing {
        let at = |member: &str| format!("/signing/{member}");
        let check =
            |member: &str, checked: Result<(), Invalid>| checked.map_err(|right| Error::field(at(member), right));
        check("header", check_header_name(header))?;
        check("prefix", prefix.check(&PREFIX_SLOTS))?;
        check("prefix", check_header_value(prefix.as_str()))?;
        check("signed", signed.check(&SIGNED_SLOTS))?;
        if !signed.as_str().contains("{body}") {
            return Err(Error::field(at("signed"), "the signed content must contain {body}"));
        }
        if let Some(name) = timestamp_header {
            check("timestamp_header", check_header_name(name))?;
            if name.eq_ignore_ascii_case(header) {
                return Err(Error::field(at("timestamp_header"), "expected a header other than the signature's"));
            }
        }
    }
    Ok(signing)
}

/// Returns the signing secrets: the given one, the present ones, or a new one.
pub(super) fn secrets(
    signing: &Signing,
    given: Option<Secret>,
    old: Option<&Subscription>,
) -> Result<Vec<Secret>, Error> {
    let secrets = match (given, old) {
        (Some(given), _) if given.reveal() == MASK => {
            return Err(Error::field(
                "/secret",
                "*** is the mask of a secret that is not shown: give the secret itself",
            ));
        }
        (Some(given), _) => {
            signing.check_secret(&given).map_err(|right| Error::field("/secret", right))?;
            vec![given]
        }
        (None, Some(old)) => old.secrets.clone(),
        (None, None) => vec![signing.new_secret()],
    };
    for secret in &secrets {
        signing.check_secret(secret).map_err(|_| {
            Error::field("/signing", "the present secret does not fit this scheme: give a `secret` in the same change")
        })?;
    }
    Ok(secrets)
}

/// Checks sealed secrets; `***` keeps the present value.
///
/// # Errors
/// If there are too many, or a name or a mask is wrong.
pub fn sealed_secrets(
    given: BTreeMap<String, Secret>,
    old: Option<&Subscription>,
) -> Result<BTreeMap<String, Secret>, Error> {
    if given.len() > SEALED_MAX {
        return Err(Error::field("/sealed_secrets", format!("at most {SEALED_MAX} secrets")));
    }
    let keep = |name: String, secret: Secret| {
        let at = format!("/sealed_secrets/{name}");
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(known) || name == SIGNING_SECRET {
            let right =
                "the name of a secret has 1 to 64 of a-z 0-9 _ -, and is not `signing`, which is the signing secret";
            return Err(Error::field(at, right));
        }
        if secret.reveal() != MASK {
            return Ok((name, secret));
        }
        match old.and_then(|old| old.sealed_secrets.get(&name)) {
            Some(had) => Ok((name, had.clone())),
            None => Err(Error::field(at, "*** keeps the present value of a secret of this name, but there is none")),
        }
    };
    given.into_iter().map(|(name, secret)| keep(name, secret)).collect()
}

/// Checks that no secret is kept, for a change that moves the subscription to another scheme, host or port: whoever may
/// change it may not read its secrets, and the new endpoint would get them. Signing secrets stay: a signature does not
/// disclose them.
pub(super) fn check_secrets_given_again(
    headers: Option<&[HeaderInput]>,
    sealed: Option<&BTreeMap<String, Secret>>,
) -> Result<(), Error> {
    let headers = headers.into_iter().flatten().enumerate().filter(|(_, header)| header.value == MASK);
    let headers = headers.map(|(index, _)| format!("/headers/{index}/value"));
    let sealed = sealed.into_iter().flatten().filter(|(_, secret)| secret.reveal() == MASK);
    let kept: Vec<_> = headers.chain(sealed.map(|(name, _)| format!("/sealed_secrets/{name}"))).collect();
    let Some(first) = kept.first() else { return Ok(()) };
    let right = format!(
        "the URL moves to another scheme, host or port, which would receive kept secrets: in the same change, set or remove \
         {}",
        kept.join(", ")
    );
    Err(Error::field(first, right))
}

/// Checks a trigger.
pub(crate) fn trigger(given: Option<Trigger>) -> Result<Option<Trigger>, Error> {
    if let Some(trigger) = &given {
        check_trigger(trigger).map_err(|right| Error::field("/trigger", right))?;
    }
    Ok(given)
}

/// Checks the parameters of the query.
pub(super) fn query(given: Vec<QueryParameter>) -> Result<Vec<QueryParameter>, Error> {
    if given.len() > QUERY_MAX {
        return Err(Error::field("/query", format!("at most {QUERY_MAX} parameters")));
    }
    for (index, parameter) in given.iter().enumerate() {
        if !(1..=QUERY_NAME_BYTES_MAX).contains(&parameter.name.len()) {
            let right = format!("the name of a parameter has 1 to {QUERY_NAME_BYTES_MAX} bytes");
            return Err(Error::field(format!("/query/{index}/name"), right));
        }
        let checked = parameter.value.check(&QueryParameter::SLOTS);
        checked.map_err(|right| Error::field(format!("/query/{index}/value"), right))?;
    }
    Ok(given)
}

/// Checks the rate of attempts.
pub(super) fn rate(given: Option<Rate>) -> Result<Option<Rate>, Error> {
    match given {
        Some(rate) if !(1..=RATE_MAX).contains(&rate.count) => {
            Err(Error::field("/rate/count", format!("1 to {RATE_MAX} requests")))
        }
        given => Ok(given),
    }
}

/// Checks the batching of events.
pub(super) fn batch(given: Option<Batch>) -> Result<Option<Batch>, Error> {
    let Some(batch) = &given else { return Ok(None) };
    if !(1..=WINDOW_S_MAX).contains(&batch.window_s) {
        return Err(Error::field("/batch/window_s", format!("1 to {WINDOW_S_MAX} seconds")));
    }
    if !(2..=BATCH_MAX).contains(&batch.max) {
        return Err(Error::field("/batch/max", format!("2 to {BATCH_MAX} events")));
    }
    if batch.event_types.len() > BATCH_TYPES_MAX {
        let right = format!("at most {BATCH_TYPES_MAX} event types; an empty list turns batching off");
        return Err(Error::field("/batch/event_types", right));
    }
    Ok(given)
}

/// Checks a rule for reading responses.
pub(super) fn answer_rule(given: Option<AnswerRule>) -> Result<Option<AnswerRule>, Error> {
    let Some(rule) = &given else { return Ok(None) };
    let pointers = [("pointer", Some(&rule.pointer)), ("reason_pointer", rule.reason_pointer.as_ref())];
    for (member, pointer) in pointers {
        let fine = pointer.is_none_or(|pointer| pointer.starts_with('/') && pointer.len() <= POINTER_BYTES_MAX);
        if !fine {
            let right = format!("a JSON pointer such as /Status, at most {POINTER_BYTES_MAX} bytes");
            return Err(Error::field(format!("/answer_rule/{member}"), right));
        }
    }
    if rule.failure.is_array() || rule.failure.is_object() {
        return Err(Error::field("/answer_rule/failure", "expected a string, a number, a boolean or null"));
    }
    Ok(given)
}

/// Checks the selection of fields.
pub(super) fn fields(given: Option<FieldsInput>) -> Result<FieldSelection, Error> {
    let Some(FieldsInput { include, exclude }) = given else { return Ok(FieldSelection::default()) };
    let selection = FieldSelection { include: include.unwrap_or_default(), exclude: exclude.unwrap_or_default() };
    // One by one first, to find out which is wrong; then all together, since they may be too many.
    for (list, paths) in [("include", &selection.include), ("exclude", &selection.exclude)] {
        for (index, path) in paths.iter().enumerate() {
            let alone = FieldSelection { include: vec![path.clone()], exclude: Vec::new() };
            Selector::compile(&alone).map_err(|right| Error::field(format!("/fields/{list}/{index}"), right))?;
        }
    }
    Selector::compile(&selection).map_err(|right| Error::field("/fields", right))?;
    Ok(selection)
}

/// Checks headers; `***` keeps the present value of a secret one.
pub(super) fn headers(given: Vec<HeaderInput>, old: Option<&Subscription>) -> Result<Vec<CustomHeader>, Error> {
    if given.len() > HEADERS_MAX {
        return Err(Error::field("/headers", format!("at most {HEADERS_MAX} headers")));
    }
    let mut headers: Vec<CustomHeader> = Vec::with_capacity(given.len());
    for (index, header) in given.into_iter().enumerate() {
        let at = |member: &str| format!("/headers/{index}/{member}");
        check_header_name(&header.name).map_err(|right| Error::field(at("name"), right))?;
        if headers.iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&header.name)) {
            return Err(Error::field(at("name"), format!("the header `{}` is given twice", header.name)));
        }
        check_header_value(&header.value).map_err(|right| Error::field(at("value"), right))?;
        headers.push(unmasked(header, old).map_err(|right| Error::field(at("value"), right))?);
    }
    Ok(headers)
}

/// Returns the header, with its present value in place of `***`.
fn unmasked(header: HeaderInput, old: Option<&Subscription>) -> Result<CustomHeader, &'static str> {
    let HeaderInput { name, value, secret } = header;
    if value != MASK {
        return Ok(CustomHeader { name, value, secret });
    }
    let mut had = old.into_iter().flat_map(|old| &old.headers);
    match had.find(|had| had.secret && had.name.eq_ignore_ascii_case(&name)) {
        Some(_) if !secret => Err("a secret value cannot be made public: give the value again"),
        Some(had) => Ok(CustomHeader { name, value: had.value.clone(), secret }),
        None => Err("*** keeps the secret value of a header of this name, but there is none"),
    }
}

/// Returns the retry policy, with defaults for what is missing.
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
