//! Assembles a request from the transform's draft, the subscription's settings, and what the host sets.
//!
//! This module is the only place for the rules on headers and URLs, which the API uses too.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::DnsName;
use serde_json::value::RawValue;
use url::Url;

use super::encode::{form_fields, header_value};
use super::json::{Level, Members};
use super::seal::MASK;
use hookmill_engine::Limits;
use hookmill_model::{
    Body, CustomHeader, Delivery, Draft, Invalid, Method, PluginFault, PluginFaultCode, Request, Sealed, SentRequest,
    Subscription,
};

/// The longest name of a custom header.
const HEADER_NAME_BYTES_MAX: usize = 128;
/// The longest value of a custom header: what most servers accept.
const HEADER_VALUE_BYTES_MAX: usize = 8 << 10;
/// The longest URL: what most servers and proxies accept in a request line, with space left for a plugin's query.
const URL_BYTES_MAX: usize = 2_048;

/// The header that asks for consent in CloudEvents.
pub const ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");

/// The header with the attempt's number.
pub const ATTEMPT: HeaderName = HeaderName::from_static("hookmill-attempt");

/// The attempt that a request is for.
#[derive(Clone, Copy, Debug)]
pub struct AttemptInfo<'a> {
    /// The delivery. In a batch, headers and query carry the id and type of the first event.
    pub delivery: &'a Delivery,
    /// The attempt's number; 1 for the first.
    pub attempt: u32,
}

/// Returns the request of one attempt, ready to be signed. `sealed` are the placeholders that the plugin got.
///
/// # Errors
/// If the draft cannot be sent: too large once encoded, a GET whose body has no fields, an invalid header, or a secret in
/// the URL.
pub fn assemble(
    subscription: &Subscription,
    draft: Draft,
    sealed: Vec<Sealed>,
    about: &AttemptInfo<'_>,
    limits: &Limits,
) -> Result<Request, PluginFault> {
    let Draft { method, query: drafted, headers, body } = draft;
    let method = method.unwrap_or(subscription.method);
    let mut query = own_query(subscription, about.delivery);
    query.extend(drafted);
    let (content_type, body) = if method == Method::Get {
        query.extend(fields_of(body)?);
        (None, Bytes::new())
    } else {
        let (content_type, body) = encode(body);
        (Some(content_type), body)
    };
    let query = form_fields(&query);
    at_most("body", body.len(), limits.output_bytes_max)?;
    at_most("query", query.len(), limits.query_bytes_max)?;
    check_sealed(&sealed, &query, &body)?;
    let headers = merge_headers(own_headers(about, content_type.as_deref())?, &headers, &subscription.headers)?;
    Ok(Request { method: method.into(), url: with_query(&subscription.url, &query), headers, body, sealed })
}

/// The most placeholders in one body: an encoded value may be fifty times as long as its placeholder.
const PLACEHOLDERS_MAX: usize = 100;

/// Checks that placeholders are only where secrets are allowed, and not too many.
fn check_sealed(sealed: &[Sealed], query: &str, body: &[u8]) -> Result<(), PluginFault> {
    if sealed.iter().any(|sealed| query.contains(&sealed.placeholder)) {
        return Err(invalid(
            "a secret must not be in the URL, which also carries the fields of a GET: URLs are logged",
        ));
    }
    let found: usize = sealed.iter().map(|sealed| super::seal::count(body, &sealed.placeholder)).sum();
    if found > PLACEHOLDERS_MAX {
        let message = format!("the body contains {found} secret placeholders, at most {PLACEHOLDERS_MAX} are allowed");
        return Err(PluginFault { code: PluginFaultCode::OutputTooLarge, message, retry: false });
    }
    Ok(())
}

/// Returns a request without a body, which the host sends as a handshake.
///
/// # Errors
/// If a custom header cannot be sent; this was checked when the subscription was saved.
pub fn without_body(
    subscription: &Subscription,
    method: http::Method,
    more: HeaderMap,
) -> Result<Request, PluginFault> {
    let mut headers = host_headers();
    headers.extend(more);
    let headers = merge_headers(headers, &[], &subscription.headers)?;
    Ok(Request { method, url: subscription.url.clone(), headers, body: Bytes::new(), sealed: Vec::new() })
}

/// Returns the request of an attempt that repeats `sent` verbatim: the same except for its number, and without its
/// signature. Custom headers whose values are masked in the history get their present values, or are omitted if they no
/// longer exist.
///
/// # Errors
/// If the stored request is invalid, which means that another program changed it.
pub fn repeat(sent: &SentRequest, custom: &[CustomHeader], attempt: u32) -> anyhow::Result<Request> {
    let mut headers = HeaderMap::new();
    let own = sent.headers.len().saturating_sub(sent.signature_headers as usize);
    for (name, value) in &sent.headers[..own] {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        let now = || custom.iter().find(|header| name == *header.name.as_str());
        match value.as_str() {
            MASK => headers.extend(now().and_then(|header| header_value(header.value.trim())).map(|now| (name, now))),
            value => _ = headers.append(name, HeaderValue::from_str(value)?),
        }
    }
    headers.insert(ATTEMPT, HeaderValue::from(attempt));
    Ok(Request {
        method: http::Method::from_bytes(sent.method.as_bytes())?,
        url: Url::parse(&sent.url)?,
        headers,
        body: sent.body.clone(),
        sealed: sent.sealed.clone(),
    })
}

/// Returns the subscription's query parameters, filled for this delivery.
fn own_query(subscription: &Subscription, delivery: &Delivery) -> Vec<(String, String)> {
    let event = &delivery.event;
    let value = |slot: &str| match slot {
        "event.id" => event.id.as_str().to_owned().into(),
        "event.type" => event.kind.as_str().to_owned().into(),
        "subscription.id" => subscription.id.to_string().into(),
        "delivery.id" => delivery.id.to_string().into(),
        _ => subscription.space.as_str().to_owned().into(),
    };
    subscription.query.iter().map(|parameter| (parameter.name.clone(), parameter.value.fill(value))).collect()
}

/// Returns the request as the history shows it: with the signature's headers, and secret values masked.
pub fn as_sent(request: &Request, signature: &HeaderMap, custom: &[CustomHeader]) -> SentRequest {
    let secret = |name: &HeaderName| custom.iter().any(|header| header.secret && *name == *header.name.as_str());
    let mut own = request.headers.clone();
    signature.keys().for_each(|name| _ = own.remove(name));
    let shown = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = if secret(name) { MASK.into() } else { String::from_utf8_lossy(value.as_bytes()).into_owned() };
        (name.to_string(), value)
    };
    SentRequest {
        method: request.method.as_str().to_owned(),
        url: request.url.to_string(),
        headers: own.iter().chain(signature).map(shown).collect(),
        signature_headers: u32::try_from(signature.len()).unwrap_or(u32::MAX),
        body: request.body.clone(),
        sealed: request.sealed.clone(),
    }
}

/// Checks the name of a custom header.
///
/// # Errors
/// If it is not a header name, is longer than 128 bytes, or is reserved.
pub fn check_header_name(name: &str) -> Result<(), Invalid> {
    if name.len() > HEADER_NAME_BYTES_MAX || HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(Invalid::new(
            "expected a header name of 1 to 128 letters, digits and ! # $ % & ' * + - . ^ _ ` | ~",
        ));
    }
    if hookmill_model::forbidden_header(name) {
        return Err(Invalid::new(format!("the header `{name}` is reserved: the host or the connection sets it")));
    }
    Ok(())
}

/// Checks the value of a custom header.
///
/// # Errors
/// If it holds more than visible ASCII, spaces and tabs, or more than 8 KiB. The message does not repeat the value.
pub fn check_header_value(value: &str) -> Result<(), Invalid> {
    if value.len() > HEADER_VALUE_BYTES_MAX || header_value(value).is_none() {
        return Err(Invalid::new("expected a header value of visible ASCII, spaces and tabs, at most 8 KiB"));
    }
    Ok(())
}

/// Parses the URL of a subscription.
///
/// # Errors
/// If it is not an http or https URL with a host, has a user, a password, a fragment or a character that HTTP does not
/// allow, a host that is not a DNS name, or more than 2,048 bytes.
pub fn check_url(text: &str) -> Result<Url, Invalid> {
    if text.len() > URL_BYTES_MAX {
        return Err(Invalid::new("the URL is longer than 2,048 bytes"));
    }
    let url = Url::parse(text).map_err(|error| Invalid::new(format!("not a URL: {error}")))?;
    let wrong = match &url {
        url if !matches!(url.scheme(), "http" | "https") => "expected a URL that starts with http:// or https://",
        url if !url.username().is_empty() || url.password().is_some() => {
            "the URL must not contain a user or password: use a custom header marked as secret"
        }
        url if url.fragment().is_some() => "the URL must not contain a fragment (#…): it would not be sent",
        url if url.as_str().len() > URL_BYTES_MAX => "the URL is longer than 2,048 bytes once encoded",
        url if url.domain().is_some_and(|name| DnsName::try_from(name).is_err()) => "the URL's host is not a DNS name",
        // Browsers take it, servers do not.
        url if url.as_str().parse::<http::Uri>().is_err() => "the URL has a character that HTTP does not allow in it",
        _ => return Ok(url),
    };
    Err(Invalid::new(wrong))
}

/// Returns the fields that a GET carries in its query instead of a body.
fn fields_of(body: Body) -> Result<Vec<(String, String)>, PluginFault> {
    let no_fields =
        || invalid("a GET has no body: expected a form or a JSON object, whose members become query parameters");
    let text = match body {
        Body::Form(fields) => return Ok(fields),
        Body::Json(text) => text,
        Body::Text(_) | Body::Binary { .. } => return Err(no_fields()),
    };
    let raw: &RawValue = serde_json::from_str(&text).map_err(|_| no_fields())?;
    let Level::Object(Members(members)) = Level::of(raw)? else { return Err(no_fields()) };
    let field = |(name, value): (String, &RawValue)| match Level::of(value)? {
        Level::String(text) => Ok((name, text)),
        Level::Other("null") => Ok((name, String::new())),
        Level::Other(_) | Level::Array(_) | Level::Object(_) => Ok((name, value.get().to_owned())),
    };
    members.into_iter().map(field).collect()
}

fn encode(body: Body) -> (String, Bytes) {
    match body {
        Body::Json(text) => ("application/json".to_owned(), text.into()),
        Body::Form(fields) => ("application/x-www-form-urlencoded".to_owned(), form_fields(&fields).into()),
        Body::Text(text) => ("text/plain; charset=utf-8".to_owned(), text.into()),
        Body::Binary { content_type, bytes } => (content_type, bytes.into()),
    }
}

fn with_query(url: &Url, query: &str) -> Url {
    let mut url = url.clone();
    if !query.is_empty() {
        let query = match url.query() {
            None | Some("") => query.to_owned(),
            Some(own) => format!("{own}&{query}"),
        };
        url.set_query(Some(&query));
    }
    url
}

fn host_headers() -> HeaderMap {
    let agent = HeaderValue::from_static(concat!("Hookmill/", env!("CARGO_PKG_VERSION")));
    [(USER_AGENT, agent)].into_iter().collect()
}

fn own_headers(about: &AttemptInfo<'_>, content_type: Option<&str>) -> Result<HeaderMap, PluginFault> {
    let ascii = |text: &str| HeaderValue::from_str(text).expect("ids, types and numbers are visible ASCII");
    let mut headers = host_headers();
    if let Some(content_type) = content_type {
        let value =
            header_value(content_type).ok_or_else(|| invalid("the content type is not a valid header value"))?;
        headers.insert(CONTENT_TYPE, value);
    }
    headers.insert("hookmill-event-id", ascii(about.delivery.event.id.as_str()));
    headers.insert("hookmill-event-type", ascii(about.delivery.event.kind.as_str()));
    headers.insert(ATTEMPT, HeaderValue::from(about.attempt));
    Ok(headers)
}

/// Merges the host's headers, the plugin's and the subscription's; of the same name, the last of the three win.
fn merge_headers(
    mut headers: HeaderMap,
    drafted: &[(String, String)],
    custom: &[CustomHeader],
) -> Result<HeaderMap, PluginFault> {
    let custom = parse_headers(custom.iter().map(|header| (&header.name, &header.value)))?;
    let mut drafted = parse_headers(drafted.iter().map(|(name, value)| (name, value)))?;
    drafted.retain(|(name, _)| custom.iter().all(|(other, _)| other != name));
    for (name, value) in drafted.into_iter().chain(custom) {
        if name == USER_AGENT {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    Ok(headers)
}

fn parse_headers<'a>(
    headers: impl Iterator<Item = (&'a String, &'a String)>,
) -> Result<Vec<(HeaderName, HeaderValue)>, PluginFault> {
    // Blanks around a value are not part of it (RFC 9110, 5.5), and HTTP/2 forbids them.
    let parse = |(name, value): (&'a String, &'a String)| {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .filter(|name| !hookmill_model::forbidden_header(name.as_str()));
        let value = header_value(value.trim_matches([' ', '\t']));
        parsed.zip(value).ok_or_else(|| PluginFault {
            code: PluginFaultCode::ForbiddenHeader,
            message: format!("the header `{}` is invalid or reserved and cannot be sent", name.escape_debug()),
            retry: false,
        })
    };
    headers.map(parse).collect()
}

fn at_most(what: &str, bytes: usize, bytes_max: usize) -> Result<(), PluginFault> {
    if bytes <= bytes_max {
        return Ok(());
    }
    let message = format!("the {what} has {bytes} bytes once encoded, at most {bytes_max} are allowed");
    Err(PluginFault { code: PluginFaultCode::OutputTooLarge, message, retry: false })
}

fn invalid(message: &str) -> PluginFault {
    PluginFault { code: PluginFaultCode::InvalidOutput, message: message.to_owned(), retry: false }
}
