//! Sealed secrets: the values take the places of their placeholders, after the plugin has ended and before signing.
//!
//! Only placeholders that the host handed out in the very transform that made the request are looked for, so text in an
//! event that looks like one passes through. A value is escaped for the place that it goes to: a JSON string, a form
//! field, or as it is. What a plugin made of a placeholder (its base64, its hash) is no placeholder and stays.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use memchr::memmem;

use super::encode::{form_text, header_value};
use hookmill_model::{Answer, Request, Sealed, Secret, Subscription};

/// What is shown instead of a secret.
pub const MASK: &str = "***";

/// The shortest value that is hidden in answers. A shorter one guards nothing, and would take half of every answer away.
const HIDDEN_BYTES_MIN: usize = 6;

/// How a value is written at its place.
#[derive(Clone, Copy)]
enum Place {
    Json,
    Form,
    AsItIs,
    /// Bytes of the plugin's own making: nobody knows how a text is written in them.
    Nowhere,
}

/// The request as it goes out: `request` with its subscription's secrets in it. A secret that is gone by now is an empty
/// text.
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

/// `bytes` as the history shows them, without placeholders.
pub fn masked(bytes: &Bytes, sealed: &[Sealed]) -> Bytes {
    sealed.iter().fold(bytes.clone(), |bytes, sealed| replaced(&bytes, &sealed.placeholder, MASK))
}

/// `bytes` with a secret's name in the place of its placeholder, which is another in every transform.
pub fn named(bytes: &Bytes, sealed: &[Sealed]) -> Bytes {
    let name = |sealed: &Sealed| format!("{{{{secret:{}}}}}", sealed.name);
    sealed.iter().fold(bytes.clone(), |bytes, sealed| replaced(&bytes, &sealed.placeholder, &name(sealed)))
}

/// How often a placeholder stands in `bytes`.
pub(super) fn count(bytes: &[u8], placeholder: &str) -> usize {
    memmem::find_iter(bytes, placeholder.as_bytes()).count()
}

/// An answer without the secrets that its request held: some receivers repeat what they got, and what is kept is shown.
pub fn hide_in(answer: &mut Answer, request: &Request, subscription: &Subscription) {
    let sealed = request.sealed.iter().filter_map(|sealed| subscription.sealed_secret(&sealed.name));
    let headers = subscription.headers.iter().filter(|header| header.secret);
    let values = sealed.map(Secret::reveal).chain(headers.map(|header| header.value.as_str()));
    // As they went out: blanks around a header's value do not.
    for value in values.map(|value| value.trim_matches([' ', '\t'])).filter(|value| value.len() >= HIDDEN_BYTES_MIN) {
        for written in [Place::AsItIs, Place::Json, Place::Form].into_iter().filter_map(|place| written(value, place)) {
            answer.body = replaced(&answer.body, &written, MASK);
            for (_, header) in &mut answer.headers {
                if header.contains(&written) {
                    *header = header.replace(&written, MASK);
                }
            }
        }
    }
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
