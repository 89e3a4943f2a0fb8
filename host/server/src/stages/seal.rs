//! Sealed secrets: values replace their placeholders after the plugin has finished and before signing.
//!
//! Only placeholders that the host issued in the transform that produced the request are replaced, so text in an event
//! that looks like one passes through. A value is escaped for its place: a JSON string, a form field, or plain text. What
//! a plugin computes from a placeholder (its base64, its hash) is not a placeholder and stays.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use memchr::memmem;

use super::encode::{form_text, header_value};
use hookmill_model::{Answer, Request, Sealed, Secret, Subscription};

/// The text shown instead of a secret.
pub const MASK: &str = "***";

/// The shortest value that is hidden in responses. A shorter one protects nothing, and hiding it would mask half of a
/// response.
const HIDDEN_BYTES_MIN: usize = 6;

/// How a value is escaped at its place.
#[derive(Clone, Copy)]
enum Place {
    Json,
    Form,
    AsItIs,
    /// Binary data of the plugin's: its text encoding is unknown, so nothing is replaced.
    Nowhere,
}

/// Returns the request as it is sent, with its subscription's secrets. A secret that was deleted since is replaced by an
/// empty text.
pub fn unseal<'a>(request: &'a Request, subscription: &Subscription) -> Cow<'a, Request> {
    if request.sealed.is_empty() {
        return Cow::Borrowed(request);
    }
    let mut unsealed = request.clone();
    let place = match request.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) {
        Some(b"application/json") => Place::Json,
        Some(b"application/x-www-form-urlencoded") => Place::Form,
        Some(b"text/plain; charset=utf-8") => Place::AsItIs,
        _ => Place::Nowhere,
    };
    for Sealed { placeholder, name } in &request.sealed {
        let value = subscription.sealed_secret(name).map_or("", |secret| secret.reveal());
        if let Some(written) = written(value, place) {
            unsealed.body = replaced(&unsealed.body, placeholder, &written);
        }
        unseal_headers(&mut unsealed.headers, placeholder, value);
    }
    Cow::Owned(unsealed)
}

/// Returns `bytes` as the history shows them, with placeholders masked.
pub fn masked(bytes: &Bytes, sealed: &[Sealed]) -> Bytes {
    sealed.iter().fold(bytes.clone(), |bytes, sealed| replaced(&bytes, &sealed.placeholder, MASK))
}

/// Returns `bytes` with each placeholder replaced by its secret's name, since placeholders differ in every transform.
pub fn named(bytes: &Bytes, sealed: &[Sealed]) -> Bytes {
    let name = |sealed: &Sealed| format!("{{{{secret:{}}}}}", sealed.name);
    sealed.iter().fold(bytes.clone(), |bytes, sealed| replaced(&bytes, &sealed.placeholder, &name(sealed)))
}

/// Counts a placeholder in `bytes`.
pub(super) fn count(bytes: &[u8], placeholder: &str) -> usize {
    memmem::find_iter(bytes, placeholder.as_bytes()).count()
}

/// Masks the secrets of the request in its response: some receivers echo what they got, and the history shows it.
pub fn hide_in(answer: &mut Answer, request: &Request, subscription: &Subscription) {
    let sealed = request.sealed.iter().filter_map(|sealed| subscription.sealed_secret(&sealed.name));
    let headers = subscription.headers.iter().filter(|header| header.secret);
    let values = sealed.map(Secret::reveal).chain(headers.map(|header| header.value.as_str()));
    // As they were sent: without blanks around a header's value.
    for value in values.map(|value| value.trim_matches([' ', '\t'])).filter(|value| value.len() >= HIDDEN_BYTES_MIN) {
        for written in [Place::AsItIs, Place::Json, Place::Form].into_iter().filter_map(|place| written(value, place)) {
            answer.body = replaced(&answer.body, &written, MASK);
            if answer.truncated {
                let begun = begun_at_end(&answer.body, written.as_bytes());
                answer.body.truncate(answer.body.len() - begun);
            }
            for (_, header) in &mut answer.headers {
                if header.contains(&written) {
                    *header = header.replace(&written, MASK);
                }
            }
        }
    }
}

/// Returns how many bytes at the end of `body` may be the beginning of a secret whose rest was cut off.
fn begun_at_end(body: &[u8], secret: &[u8]) -> usize {
    let longest = (secret.len() - 1).min(body.len());
    (1..=longest).rev().find(|length| body.ends_with(&secret[..*length])).unwrap_or(0)
}

fn written(value: &str, place: Place) -> Option<String> {
    Some(match place {
        Place::Json => {
            let quoted = serde_json::to_string(value).expect("a string is always JSON");
            quoted[1..quoted.len() - 1].to_owned()
        }
        Place::Form => form_text(value),
        Place::AsItIs => value.to_owned(),
        Place::Nowhere => return None,
    })
}

fn replaced(bytes: &Bytes, placeholder: &str, value: &str) -> Bytes {
    let found: Vec<_> = memmem::find_iter(bytes, placeholder.as_bytes()).collect();
    if found.is_empty() {
        return bytes.clone();
    }
    let mut out = Vec::with_capacity(bytes.len() + found.len() * value.len());
    let mut behind = 0;
    for at in found {
        out.extend_from_slice(&bytes[behind..at]);
        out.extend_from_slice(value.as_bytes());
        behind = at + placeholder.len();
    }
    out.extend_from_slice(&bytes[behind..]);
    out.into()
}

fn unseal_headers(headers: &mut HeaderMap, placeholder: &str, value: &str) {
    for header in headers.values_mut() {
        // Headers are visible ASCII, as are secrets.
        let text = String::from_utf8_lossy(header.as_bytes());
        if text.contains(placeholder) {
            let text = text.replace(placeholder, value);
            *header = header_value(&text).unwrap_or_else(|| HeaderValue::from_static(""));
            header.set_sensitive(true);
        }
    }
}
