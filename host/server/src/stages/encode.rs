//! How text is written into forms, queries and headers.

use http::HeaderValue;
use url::form_urlencoded::byte_serialize;

/// Encodes names and values as a form, with `%20` for a space: every reader of forms and queries accepts it, while some
/// readers of queries take `+` literally.
pub(super) fn form_fields(fields: &[(String, String)]) -> String {
    let mut encoded = String::new();
    for (name, value) in fields {
        encoded.push_str(if encoded.is_empty() { "" } else { "&" });
        push_form_text(&mut encoded, name);
        encoded.push('=');
        push_form_text(&mut encoded, value);
    }
    encoded
}

/// Encodes one name or value of a form.
pub(super) fn form_text(text: &str) -> String {
    let mut encoded = String::new();
    push_form_text(&mut encoded, text);
    encoded
}

fn push_form_text(encoded: &mut String, text: &str) {
    // A lone `+` is a space: a literal plus arrives as `%2B`.
    encoded.extend(byte_serialize(text.as_bytes()).map(|piece| if piece == "+" { "%20" } else { piece }));
}

/// Parses a header value: visible ASCII, spaces and tabs. The `http` crate also accepts non-ASCII bytes, which receivers
/// decode in different ways.
pub(super) fn header_value(text: &str) -> Option<HeaderValue> {
    let ascii = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    ascii.then(|| HeaderValue::from_str(text).ok()).flatten()
}
