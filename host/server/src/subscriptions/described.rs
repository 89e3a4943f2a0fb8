//! OpenAPI schemas of types of the model, which does not depend on utoipa.
//!
//! They appear in the API description alone. The compiler checks that each enumeration lists every variant of its
//! counterpart in the model; the API tests check the names.

use hookmill_model::{ContentType, HmacAlgorithm, Method, OnFailure, RatePeriod, SignatureEncoding, StandardAlgorithm};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Declares an enumeration of the description that has the variants of one or several enumerations of the host.
#[macro_export]
macro_rules! described {
    ($(#[$meta:meta])* $vis:vis $name:ident: $($model:ident { $($(#[$variant_meta:meta])* $variant:ident,)* })+) => {
        #[derive(ToSchema)]
        $(#[$meta])*
        #[allow(dead_code, missing_docs, reason = "in the API description alone, where the type's text covers its variants")]
        $vis enum $name {
            $($(
                $(#[$variant_meta])*
                $variant,
            )*)+
        }

        $(const _: fn($model) = |value| match value {
            $($model::$variant => (),)*
        };)+
    };
}

described! {
    /// HTTP method of a request. A GET has no body: its fields go into the query.
    #[schema(as = Method, rename_all = "UPPERCASE")]
    pub MethodName: Method { Post, Put, Patch, Get, }
}

described! {
    /// Content type of a request's body.
    #[schema(as = ContentType)]
    pub ContentTypeName: ContentType {
        #[schema(rename = "application/json")]
        Json,
        #[schema(rename = "application/x-www-form-urlencoded")]
        Form,
        #[schema(rename = "text/plain")]
        Text,
    }
}

described! {
    /// Signature of Standard Webhooks: `hmac-sha256` (`v1`, a shared secret) or `ed25519` (`v1a`, a key pair).
    #[schema(as = StandardAlgorithm)]
    pub StandardAlgorithmName: StandardAlgorithm {
        #[schema(rename = "hmac-sha256")]
        HmacSha256,
        #[schema(rename = "ed25519")]
        Ed25519,
    }
}

described! {
    /// Hash of an HMAC.
    #[schema(as = HmacAlgorithm, rename_all = "snake_case")]
    pub HmacAlgorithmName: HmacAlgorithm { Sha1, Sha256, Sha512, }
}

described! {
    /// Encoding of a signature: lower-case hexadecimal, or base64 with padding.
    #[schema(as = SignatureEncoding, rename_all = "snake_case")]
    pub SignatureEncodingName: SignatureEncoding { Hex, Base64, }
}

described! {
    /// Handling of a delivery whose plugin fails.
    #[schema(as = OnFailure, rename_all = "snake_case")]
    pub OnFailureName: OnFailure {
        /// The delivery fails, unless the plugin itself reports that a later attempt may succeed.
        Fail,
        /// The delivery is retried on the retry schedule.
        Retry,
        /// The delivery is sent in the default shape.
        DefaultShape,
    }
}

/// Change that an event must report: of any of the fields, or of the status.
#[derive(ToSchema)]
pub struct Trigger {
    /// Fields of the event's data, as member names joined by dots: at most 100. A field triggers at most one
    /// subscription of a space.
    #[schema(required = false)]
    fields: Vec<String>,
    /// Change of status.
    status: Option<StatusChange>,
}

/// Change of a field from one value to another.
#[derive(ToSchema)]
pub struct StatusChange {
    /// Field that holds the status; `status` by default.
    #[schema(required = false)]
    field: String,
    /// Previous value; any value if omitted.
    from: Option<Value>,
    /// New value; any value if omitted.
    to: Option<Value>,
}

/// Parameter appended to the URL's query.
#[derive(ToSchema)]
pub struct QueryParameter {
    /// Name.
    name: String,
    /// Value. The placeholders `{event.id}`, `{event.type}`, `{subscription.id}`, `{delivery.id}` and `{space}` are
    /// replaced.
    value: String,
}

/// Batching of events of one type into one delivery.
#[derive(ToSchema)]
pub struct Batch {
    /// Seconds from the first event to the end of the batch; 60 by default.
    #[schema(minimum = 1, maximum = 3_600, required = false)]
    window_s: u32,
    /// Number of events that ends the batch early; 1,000 by default.
    #[schema(minimum = 2, maximum = 1_000, required = false)]
    max: u32,
    /// Event types that are batched; all by default, an empty list turns batching off.
    #[schema(required = false)]
    event_types: Vec<String>,
}

/// Most requests within a time, which begins with the first of them.
#[derive(ToSchema)]
pub struct Rate {
    /// Number of requests.
    #[schema(minimum = 1, maximum = 100_000)]
    count: u32,
    /// Time.
    per: RatePeriodName,
}

described! {
    /// Time of a rate.
    #[schema(as = RatePeriod, rename_all = "snake_case")]
    pub RatePeriodName: RatePeriod { Second, Minute, Hour, }
}

/// Rule by which a response's body reports a failure.
#[derive(ToSchema)]
pub struct AnswerRule {
    /// JSON pointer to the member that reports it.
    pointer: String,
    /// Value of that member in case of a failure.
    failure: Value,
    /// JSON pointer to the reason.
    reason_pointer: Option<String>,
}

/// Signing scheme of the requests. `scheme` selects the variant.
#[derive(ToSchema)]
#[expect(missing_docs, reason = "each variant holds a documented type")]
#[serde(untagged)]
#[schema(discriminator(property_name = "scheme", mapping(
    ("standard" = "#/components/schemas/StandardSigning"),
    ("livespace" = "#/components/schemas/LivespaceSigning"),
    ("breakcold" = "#/components/schemas/BreakcoldSigning"),
    ("hmac" = "#/components/schemas/HmacSigning"),
    ("none" = "#/components/schemas/NoSigning"),
)))]
pub enum Signing {
    Standard(StandardSigning),
    Livespace(LivespaceSigning),
    Breakcold(BreakcoldSigning),
    Hmac(HmacSigning),
    None(NoSigning),
}

/// Standard Webhooks 1.0.0: `webhook-id`, `webhook-timestamp` and `webhook-signature`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StandardSigning {
    #[schema(schema_with = standard)]
    scheme: (),
    /// The algorithm of new secrets; `hmac-sha256` by default. Each request is signed with every secret according to
    /// its kind.
    #[schema(required = false)]
    algorithm: StandardAlgorithmName,
}

/// Livespace: `X-Livespace-Signature`, hexadecimal HMAC-SHA256 over the URL and the body.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LivespaceSigning {
    #[schema(schema_with = livespace)]
    scheme: (),
}

/// Breakcold: `X-Webhook-Signature`, `sha256=` and hexadecimal HMAC-SHA256 over `timestamp.body`, with
/// `X-Webhook-Timestamp`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakcoldSigning {
    #[schema(schema_with = breakcold)]
    scheme: (),
}

/// Any other HMAC in a header, as used by GitHub, Shopify, Stripe and many others.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HmacSigning {
    #[schema(schema_with = hmac)]
    scheme: (),
    /// The hash; `sha256` by default.
    #[schema(required = false)]
    algorithm: HmacAlgorithmName,
    /// Header that carries the signature.
    header: String,
    /// Text before the signature in the header: `sha256=`, or `t={timestamp},v1=`; none by default.
    #[schema(required = false)]
    prefix: String,
    /// The encoding of the signature; `hex` by default.
    #[schema(required = false)]
    encoding: SignatureEncodingName,
    /// Signed content: `{url}`, `{timestamp}`, `{id}` and `{body}` with text in between; `{body}` by default.
    #[schema(required = false)]
    signed: String,
    /// Header that carries the timestamp, in Unix seconds; none by default.
    timestamp_header: Option<String>,
}

/// No signature.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSigning {
    #[schema(schema_with = none)]
    scheme: (),
}

/// Functions that return the schema of a variant's member `scheme`, which has one value.
macro_rules! schemes {
    ($($name:ident),*) => {
        $(fn $name() -> Object {
            ObjectBuilder::new().schema_type(Type::String).enum_values(Some([stringify!($name)])).build()
        })*
    };
}

schemes!(standard, livespace, breakcold, hmac, none);
