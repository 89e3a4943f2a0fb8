//! A request: as drafted by a transform, and as sent.

use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use url::Url;

use super::Method;

/// A body before it is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// JSON text, sent as it is with `application/json`.
    Json(String),
    /// Ordered fields, sent as `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// Text, sent as `text/plain; charset=utf-8`.
    Text(String),
    /// Bytes with a content type that the plugin chooses.
    Binary {
        /// The whole `content-type` header.
        content_type: String,
        /// The body.
        bytes: Vec<u8>,
    },
}

/// The output of a transform: everything of a request except its address and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The method, if it differs from the subscription's.
    pub method: Option<Method>,
    /// Query parameters to append, not yet encoded.
    pub query: Vec<(String, String)>,
    /// Headers in addition to those that the host sets, checked against the contract.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

/// A sealed secret that a plugin requested: its placeholder stands for the value until the request is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The text in a header or the body: letters, digits and `_`, generated at random for one transform.
    pub placeholder: String,
    /// The secret's name in its subscription.
    pub name: String,
}

/// A request that is ready to be signed and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: http::Method,
    /// The whole URL, including the appended query.
    pub url: Url,
    /// All headers except those of the signature and those that the HTTP client sets itself.
    pub headers: HeaderMap,
    /// The exact bytes that are signed and sent; empty for a GET.
    pub body: Bytes,
    /// The placeholders of sealed secrets in the headers and the body.
    pub sealed: Vec<Sealed>,
}

/// Whether plugins and subscriptions must not set this header: one of the signature or the host, one that follows from
/// the body, or one that belongs to a connection.
pub fn forbidden_header(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "host",
        "content-length",
        "content-type",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    const PREFIXES: [&str; 3] = ["webhook-", "hookmill-", "proxy-"];
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
