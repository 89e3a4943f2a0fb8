//! What is right in the parts of a subscription that are read as they are kept.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::api::http::json;
use crate::error::Error;
use crate::stages::matching::check_trigger;
use crate::stages::request::{check_header_name, check_header_value};
use crate::stages::seal::MASK;
use crate::stages::sign::{PREFIX_SLOTS, SIGNED_SLOTS};
use hookmill_model::{AnswerRule, Batch, HmacScheme, Invalid, QueryParameter, Secret, Signing, Subscription, Trigger};

/// More than any receiver reads.
const QUERY_MAX: usize = 20;
const QUERY_NAME_BYTES_MAX: usize = 128;
/// With the signing secret as many as one transform may ask for.
const SEALED_MAX: usize = 19;
/// Up to an hour: who wants to wait longer wants a report and no webhook.
const WINDOW_S_MAX: u32 = 60 * 60;
/// A plugin has them all in memory.
const BATCH_MAX: u32 = 1_000;
const BATCH_TYPES_MAX: usize = 100;
/// None that a person writes is longer.
const POINTER_BYTES_MAX: usize = 256;

/// Checks that the URL is https, if it must be.
pub(super) fn check_https(url: &Url, required: bool) -> Result<(), Error> {
    if required && url.scheme() != "https" {
        return Err(Error::field("/url", "the URL must start with https:// (`require_https` is on)"));
    }
    Ok(())
}

/// A part of a subscription at its place, so that what is wrong in it is told by its whole path.
#[derive(Deserialize)]
struct AtSigning<T> {
    signing: T,
}

/// Reads a signing scheme. Of a tagged enum serde does not tell which member is wrong; of the one that has many it does,
/// once it is taken by its tag.
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
            return Err(Error::field(at("signed"), "what is signed must hold {body}"));
        }
        if let Some(name) = timestamp_header {
            check("timestamp_header", check_header_name(name))?;
            if name.eq_ignore_ascii_case(header) {
                return Err(Error::field(at("timestamp_header"), "another header than the signature's"));
            }
        }
    }
    Ok(signing)
}

/// The signing secrets: the given one, those that it had, or a new one.
pub(super) fn secrets(
    signing: &Signing,
    given: Option<Secret>,
    old: Option<&Subscription>,
) -> Result<Vec<Secret>, Error> {
    let secrets = match (given, old) {
        (Some(given), _) if given.reveal() == MASK => {
            return Err(Error::field("/secret", "*** stands for secrets that are not shown: give the secret itself"));
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
            Error::field("/signing", "the present secret is none of this scheme's: give a `secret` in the same change")
        })?;
    }
    Ok(secrets)
}

/// Checks sealed secrets; `***` keeps the value that one had.
pub(in super::super) fn sealed_secrets(
    given: BTreeMap<String, Secret>,
    old: Option<&Subscription>,
) -> Result<BTreeMap<String, Secret>, Error> {
    if given.len() > SEALED_MAX {
        return Err(Error::field("/sealed_secrets", format!("at most {SEALED_MAX} secrets")));
    }
    let keep = |name: String, secret: Secret| {
        let at = format!("/sealed_secrets/{name}");
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(known) || name == hookmill_model::SIGNING_SECRET {
            let right =
                "a secret's name is 1 to 64 of a-z 0-9 _ -, and not `signing`, which stands for the signing secret";
            return Err(Error::field(at, right));
        }
        if secret.reveal() != MASK {
            return Ok((name, secret));
        }
        match old.and_then(|old| old.sealed_secrets.get(&name)) {
            Some(had) => Ok((name, had.clone())),
            None => Err(Error::field(at, "*** stands for the value that a secret of this name has, and there is none")),
        }
    };
    given.into_iter().map(|(name, secret)| keep(name, secret)).collect()
}

/// Checks a trigger.
pub(super) fn trigger(given: Option<Trigger>) -> Result<Option<Trigger>, Error> {
    if let Some(trigger) = &given {
        check_trigger(trigger).map_err(|right| Error::field("/trigger", right))?;
    }
    Ok(given)
}

/// Checks parameters of the query.
pub(super) fn query(given: Vec<QueryParameter>) -> Result<Vec<QueryParameter>, Error> {
    if given.len() > QUERY_MAX {
        return Err(Error::field("/query", format!("at most {QUERY_MAX} parameters")));
    }
    for (index, parameter) in given.iter().enumerate() {
        if !(1..=QUERY_NAME_BYTES_MAX).contains(&parameter.name.len()) {
            let right = format!("a parameter's name has 1 to {QUERY_NAME_BYTES_MAX} bytes");
            return Err(Error::field(format!("/query/{index}/name"), right));
        }
        let checked = parameter.value.check(&QueryParameter::SLOTS);
        checked.map_err(|right| Error::field(format!("/query/{index}/value"), right))?;
    }
    Ok(given)
}

/// Checks how events are gathered.
pub(super) fn batch(given: Option<Batch>) -> Result<Option<Batch>, Error> {
    let Some(batch) = &given else { return Ok(None) };
    if !(1..=WINDOW_S_MAX).contains(&batch.window_s) {
        return Err(Error::field("/batch/window_s", format!("1 to {WINDOW_S_MAX} seconds")));
    }
    if !(2..=BATCH_MAX).contains(&batch.max) {
        return Err(Error::field("/batch/max", format!("2 to {BATCH_MAX} events")));
    }
    if batch.event_types.len() > BATCH_TYPES_MAX {
        let right = format!("at most {BATCH_TYPES_MAX} event types; none gathers nothing");
        return Err(Error::field("/batch/event_types", right));
    }
    Ok(given)
}

/// Checks a rule for reading answers.
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
        return Err(Error::field("/answer_rule/failure", "a text, a number, a boolean or null"));
    }
    Ok(given)
}
