//! Parts of a subscription as the document shows them. They stand for types of the model, which reads them from JSON but
//! knows nothing of documents.
#![expect(dead_code, reason = "stands in the document alone")]

use serde_json::Value;
use utoipa::ToSchema;

/// What must have changed: any of the fields, or the status.
#[derive(ToSchema)]
pub(super) struct Trigger {
    /// Fields of the event's data, members joined by dots: at most 100. One field triggers one subscription of a space.
    #[schema(required = false)]
    fields: Vec<String>,
    /// A change of status.
    status: Option<StatusChange>,
}

/// A change of a field from one value to another.
#[derive(ToSchema)]
pub(super) struct StatusChange {
    /// Which field holds the status; `status` by default.
    #[schema(required = false)]
    field: String,
    /// What it was; anything, if it is left out.
    from: Option<Value>,
    /// What it is now; anything, if it is left out.
    to: Option<Value>,
}

/// A parameter that is appended to the URL's query.
#[derive(ToSchema)]
pub(super) struct QueryParameter {
    /// Its name.
    name: String,
    /// Its value, in which `{event.id}`, `{event.type}`, `{subscription.id}`, `{delivery.id}` and `{space}` stand for
    /// what they say.
    value: String,
}

/// How events of one type are gathered into one delivery.
#[derive(ToSchema)]
pub(super) struct Batch {
    /// Seconds from the first event to the end of the batch; 60 by default.
    #[schema(minimum = 1, maximum = 3_600, required = false)]
    window_s: u32,
    /// How many events end it before; 1,000 by default.
    #[schema(minimum = 2, maximum = 1_000, required = false)]
    max: u32,
    /// Which types are gathered; all by default, none switches it off.
    #[schema(required = false)]
    event_types: Vec<String>,
}

/// An answer that tells of a failure in its body.
#[derive(ToSchema)]
pub(super) struct AnswerRule {
    /// JSON pointer to the member that tells.
    pointer: String,
    /// Its value when it tells of a failure.
    failure: Value,
    /// JSON pointer to the reason.
    reason_pointer: Option<String>,
}

/// How requests are signed.
#[derive(ToSchema)]
#[schema(as = Signing)]
pub(super) struct Signing {
    /// `standard` (Standard Webhooks 1.0.0), `livespace`, `breakcold`, `hmac` or `none`.
    scheme: String,
    /// `hmac-sha256` or `ed25519` for `standard`; `sha1`, `sha256` or `sha512` for `hmac`.
    algorithm: Option<String>,
    /// The header of an `hmac`.
    header: Option<String>,
    /// What stands before the signature in it: `sha256=`, or `t={timestamp},v1=`.
    prefix: Option<String>,
    /// How the signature is written: `hex` or `base64`.
    encoding: Option<String>,
    /// What is signed, of `{url}`, `{timestamp}`, `{id}` and `{body}`; the body by default.
    signed: Option<String>,
    /// A header with the timestamp in unix seconds.
    timestamp_header: Option<String>,
}
