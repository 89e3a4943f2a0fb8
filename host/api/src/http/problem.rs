//! Errors as HTTP responses: problem details (RFC 9457).

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hookmill_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use hookmill_server::error::{Code, Error};

/// Media type of problem details.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Returns the HTTP status of an error code.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::JsonInvalid | Code::ParameterInvalid => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::RouteUnknown | Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::EventConflict
        | Code::SpaceExists
        | Code::PluginVersionExists
        | Code::PluginInUse
        | Code::PluginBundled
        | Code::PluginDeleted
        | Code::NoEarlierPlugin
        | Code::DeliveryInFlight
        | Code::DeliveryState
        | Code::SubscriptionState
        | Code::SubscriptionIdentical
        | Code::TriggerTaken
        | Code::HandshakeRejected
        | Code::SecretsMax
        | Code::LastAdminKey
        | Code::MailUnavailable => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::ContentTypeUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::FieldInvalid
        | Code::FieldMissing
        | Code::FieldUnknown
        | Code::PluginRefused
        | Code::PluginUnsigned
        | Code::PluginPullFailed
        | Code::MailFailed => StatusCode::UNPROCESSABLE_ENTITY,
        Code::QuotaReached => StatusCode::UNPROCESSABLE_ENTITY,
        Code::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Unavailable | Code::DiskFailed => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Reason phrase of the status.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// Kind of the problem: a stable value for programs.
    code: Code,
    /// What is wrong and what is expected, for people.
    detail: String,
    /// JSON pointer to the invalid member of the body; "" is the body itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
    /// Name of the invalid path, query or header parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<String>,
    /// Seconds after which to try again: the header `Retry-After`.
    #[serde(skip)]
    #[schema(ignore)]
    retry_after_s: Option<u32>,
}

impl From<Error> for Problem {
    fn from(Error { code, detail, field, parameter, retry_after_s }: Error) -> Self {
        let status = status(code);
        let title = status.canonical_reason().unwrap_or_default();
        Self { title, status: status.as_u16(), code, detail, field, parameter, retry_after_s }
    }
}

/// Logs what the store failed with and reports an internal error.
impl From<StoreError> for Problem {
    fn from(err: StoreError) -> Self {
        Error::from(err).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, retry_after_s) = (status(self.code), self.code, self.retry_after_s);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if code == Code::Unauthenticated {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The response to an unknown path.
pub(crate) async fn route_unknown() -> Problem {
    Error::new(Code::RouteUnknown, "unknown path: GET /v1/openapi.json lists the paths of the API").into()
}

/// The response to a method that the path does not support. The `Allow` header lists the supported ones.
pub(crate) async fn method_not_allowed() -> Problem {
    Error::new(
        Code::MethodNotAllowed,
        "method not supported by this path: the Allow header lists the supported methods",
    )
    .into()
}
