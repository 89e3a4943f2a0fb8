//! Parts of a subscription as the document shows them. They stand for types of the model, which reads them from JSON but
//! knows nothing of documents.
#![expect(dead_code, reason = "stands in the document alone")]

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::super::names::{HmacAlgorithmName, SignatureEncodingName, StandardAlgorithmName};

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

/// How requests are signed. `scheme` states which of the variants it is.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(discriminator(property_name = "scheme", mapping(
    ("standard" = "#/components/schemas/StandardSigning"),
    ("livespace" = "#/components/schemas/LivespaceSigning"),
    ("breakcold" = "#/components/schemas/BreakcoldSigning"),
    ("hmac" = "#/components/schemas/HmacSigning"),
    ("none" = "#/components/schemas/NoSigning"),
)))]
pub(super) enum Signing {
    Standard(StandardSigning),
    Livespace(LivespaceSigning),
    Breakcold(BreakcoldSigning),
    Hmac(HmacSigning),
    None(NoSigning),
}

/// Standard Webhooks 1.0.0: `webhook-id`, `webhook-timestamp` and `webhook-signature`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StandardSigning {
    #[schema(schema_with = standard)]
    scheme: (),
    /// The algorithm of new secrets; `hmac-sha256` by default. Each request is signed with every secret according to
    /// its kind.
    #[schema(required = false)]
    algorithm: StandardAlgorithmName,
}

/// Livespace's: `X-Livespace-Signature`, hexadecimal HMAC-SHA256 over the URL and the body.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LivespaceSigning {
    #[schema(schema_with = livespace)]
    scheme: (),
}

/// Breakcold's: `X-Webhook-Signature`, `sha256=` and hexadecimal HMAC-SHA256 over `timestamp.body`, with
/// `X-Webhook-Timestamp`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BreakcoldSigning {
    #[schema(schema_with = breakcold)]
    scheme: (),
}

/// Any other HMAC in a header: what GitHub, Shopify, Stripe and many others do.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HmacSigning {
    #[schema(schema_with = hmac)]
    scheme: (),
    /// The hash; `sha256` by default.
    #[schema(required = false)]
    algorithm: HmacAlgorithmName,
    /// The header that carries the signature.
    header: String,
    /// Text before the signature in the header: `sha256=`, or `t={timestamp},v1=`; none by default.
    #[schema(required = false)]
    prefix: String,
    /// The encoding of the signature; `hex` by default.
    #[schema(required = false)]
    encoding: SignatureEncodingName,
    /// What is signed: `{url}`, `{timestamp}`, `{id}` and `{body}` with text between; `{body}` by default.
    #[schema(required = false)]
    signed: String,
    /// A header that carries the timestamp, in unix seconds; none by default.
    timestamp_header: Option<String>,
}

/// No signature.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoSigning {
    #[schema(schema_with = none)]
    scheme: (),
}

/// Functions that describe the member `scheme` of a variant, which has one value.
macro_rules! schemes {
    ($($name:ident),*) => {
        $(fn $name() -> Object {
            ObjectBuilder::new().schema_type(Type::String).enum_values(Some([stringify!($name)])).build()
        })*
    };
}

schemes!(standard, livespace, breakcold, hmac, none);
