//! Checking a plugin's output against the contract: only output that passes is sent.

use hookmill_model::{Body, Draft, Method, PluginFault, PluginFaultCode, forbidden_header};
use serde::de::IgnoredAny;

use super::fault::permanent;
use crate::config::Limits;

/// Bytes of a plugin's reason for failing or skipping.
pub(super) const REASON_BYTES_MAX: usize = 1 << 10;

/// Bytes of a content type.
const CONTENT_TYPE_BYTES_MAX: usize = 256;

type Fields = Vec<(String, String)>;

/// Checks a request and converts it.
pub(super) fn draft(
    limits: &Limits,
    method: Option<String>,
    query: Fields,
    headers: Fields,
    body: Body,
) -> Result<Draft, PluginFault> {
    let method = method.map(|name| parse_method(&name)).transpose()?;
    check_size("query", encoded_len(&query), limits.query_bytes_max)?;
    check_headers(limits, &headers)?;
    check_body(limits, &body)?;
    Ok(Draft { method, query, headers, body })
}

fn parse_method(name: &str) -> Result<Method, PluginFault> {
    name.parse().map_err(|_| {
        let name: String = name.chars().take(32).collect();
        permanent(
            PluginFaultCode::InvalidOutput,
            format!("invalid method `{}`: expected POST, PUT, PATCH or GET", name.escape_debug()),
        )
    })
}

fn check_size(what: &str, bytes: usize, max: usize) -> Result<(), PluginFault> {
    if bytes <= max {
        return Ok(());
    }
    Err(permanent(PluginFaultCode::OutputTooLarge, format!("the {what} has {bytes} bytes; {max} are allowed")))
}

fn check_headers(limits: &Limits, headers: &Fields) -> Result<(), PluginFault> {
    if headers.len() > limits.headers_max {
        let message = format!("there are {} headers; {} are allowed", headers.len(), limits.headers_max);
        return Err(permanent(PluginFaultCode::OutputTooLarge, message));
    }
    for (name, value) in headers {
        check_size("header name", name.len(), limits.header_name_bytes_max)?;
        check_header(name, value)?;
        check_size(&format!("header `{name}`"), value.len(), limits.header_value_bytes_max)?;
    }
    let all = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    check_size("header section", all, limits.headers_bytes_max)
}

fn check_header(name: &str, value: &str) -> Result<(), PluginFault> {
    let forbidden = |message: String| Err(permanent(PluginFaultCode::ForbiddenHeader, message));
    let shown = name.escape_debug();
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return forbidden(format!("invalid header name `{shown}`"));
    }
    if forbidden_header(name) {
        return forbidden(format!("a plugin cannot set the header `{shown}`"));
    }
    match value.chars().find(|c| !matches!(c, '\t' | ' '..='~')) {
        None => Ok(()),
        Some(c) => forbidden(format!(
            "invalid character {c:?} in the value of the header `{shown}`: expected visible ASCII, space or tab"
        )),
    }
}

fn check_body(limits: &Limits, body: &Body) -> Result<(), PluginFault> {
    let max = limits.output_bytes_max;
    match body {
        Body::Json(text) => {
            check_size("body", text.len(), max)?;
            check_json(text)
        }
        Body::Form(fields) => check_size("encoded form", encoded_len(fields), max),
        Body::Text(text) => check_size("body", text.len(), max),
        Body::Binary { content_type, bytes } => {
            check_size("body", bytes.len(), max)?;
            check_content_type(content_type)
        }
    }
}

/// Validates the text without keeping the parsed value: the text itself is sent.
fn check_json(text: &str) -> Result<(), PluginFault> {
    serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(|e| {
        permanent(PluginFaultCode::InvalidOutput, format!("the body is declared as JSON but is not valid: {e}"))
    })
}

fn check_content_type(content_type: &str) -> Result<(), PluginFault> {
    check_size("content type", content_type.len(), CONTENT_TYPE_BYTES_MAX)?;
    if is_content_type(content_type) {
        return Ok(());
    }
    let message =
        format!("invalid content type `{}`: expected for example `application/xml`", content_type.escape_debug());
    Err(permanent(PluginFaultCode::InvalidOutput, message))
}

/// Whether a text is `type/subtype`, optionally with parameters, in visible ASCII and spaces.
pub(super) fn is_content_type(text: &str) -> bool {
    let media = text.split(';').next().unwrap_or_default().trim_end();
    let token = |token: &str| {
        !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    text.bytes().all(|b| matches!(b, b' '..=b'~'))
        && media.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub))
}

/// Returns the length of fields as `application/x-www-form-urlencoded`, without encoding them.
fn encoded_len(fields: &Fields) -> usize {
    let byte = |b: u8| if b.is_ascii_alphanumeric() || b"*-._ ".contains(&b) { 1 } else { 3 };
    let text = |text: &str| text.bytes().map(byte).sum::<usize>();
    let pairs: usize = fields.iter().map(|(name, value)| text(name) + 1 + text(value)).sum();
    pairs + fields.len().saturating_sub(1)
}
