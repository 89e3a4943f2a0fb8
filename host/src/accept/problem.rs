//! What is answered when a request is not served: a problem of RFC 9457 with a stable code.
//!
//! The outside reads `code`, `detail` and where to look; what went wrong inside us is logged, once, where the answer is
//! made, and never shown.

use std::fmt;

use axum::Json;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::StoreError;

/// The media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What kind of problem. Codes never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    /// The body is no JSON.
    JsonInvalid,
    /// A parameter of the path or the query is wrong.
    ParameterInvalid,
    /// There is no key, or one that is not known.
    Unauthenticated,
    /// The key does not allow this, or not in this space.
    Forbidden,
    /// There is no such path.
    RouteUnknown,
    /// There is no such thing at this path.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// An event of this id, but of other content, was accepted before.
    EventConflict,
    /// There is a space of this id.
    SpaceExists,
    /// There is a plugin of this name and version, with another component.
    PluginVersionExists,
    /// Subscriptions use the plugin's version, or deliveries are yet to be tried again with it.
    PluginInUse,
    /// The plugin comes with the host.
    PluginBundled,
    /// The version that this would go back to was deleted.
    PluginDeleted,
    /// The subscription had no other plugin before.
    NoEarlierPlugin,
    /// The delivery is being sent at this moment.
    DeliveryInFlight,
    /// The delivery's state does not allow this.
    DeliveryState,
    /// The subscription's state does not allow this.
    SubscriptionState,
    /// Another subscription sends the same events to the same URL on the same trigger.
    SubscriptionIdentical,
    /// A field that is to trigger the subscription triggers another one.
    TriggerTaken,
    /// The endpoint did not pass the handshake.
    HandshakeRefused,
    /// The subscription has as many secrets as it may.
    SecretsMax,
    /// The last key of an administrator stays.
    LastAdminKey,
    /// The body, or what is in it, is larger than its limit.
    TooLarge,
    /// The body's content type is not one that the path takes.
    ContentTypeUnsupported,
    /// A member of the body has a wrong value.
    FieldInvalid,
    /// A member of the body is missing.
    FieldMissing,
    /// The body has a member that does not belong there.
    FieldUnknown,
    /// The component is no plugin that this host takes.
    PluginRefused,
    /// The space takes only signed plugins, and the component is not signed by one of its keys.
    PluginUnsigned,
    /// The registry does not give the component.
    PluginPullFailed,
    /// The host failed.
    Internal,
    /// The host cannot serve this now.
    Unavailable,
}

impl Code {
    fn status(self) -> StatusCode {
        match self {
            Self::JsonInvalid | Self::ParameterInvalid => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::RouteUnknown | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::EventConflict
            | Self::SpaceExists
            | Self::PluginVersionExists
            | Self::PluginInUse
            | Self::PluginBundled
            | Self::PluginDeleted
            | Self::NoEarlierPlugin
            | Self::DeliveryInFlight
            | Self::DeliveryState
            | Self::SubscriptionState
            | Self::SubscriptionIdentical
            | Self::TriggerTaken
            | Self::HandshakeRefused
            | Self::SecretsMax
            | Self::LastAdminKey => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ContentTypeUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::FieldInvalid
            | Self::FieldMissing
            | Self::FieldUnknown
            | Self::PluginRefused
            | Self::PluginUnsigned
            | Self::PluginPullFailed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A problem (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The status, in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What kind of problem it is: stable, for programs.
    code: Code,
    /// What is wrong and what would be right, for people.
    detail: String,
    /// JSON pointer to the member of the body that is wrong; "" is the body itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The parameter of the path or the query that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
}

impl Problem {
    /// A problem of this kind.
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        let title = status.canonical_reason().unwrap_or_default();
        Self { title, status: status.as_u16(), code, detail: detail.into(), field: None, parameter: None }
    }

    /// A member of the body has a wrong value; `right` says what would be right.
    pub(super) fn field(pointer: impl Into<String>, right: impl fmt::Display) -> Self {
        Self::at(Code::FieldInvalid, pointer, right)
    }

    /// A problem with a member of the body. The detail names the member, since not everybody looks at `field`.
    pub(super) fn at(code: Code, pointer: impl Into<String>, right: impl fmt::Display) -> Self {
        let pointer = pointer.into();
        let detail = if pointer.is_empty() { right.to_string() } else { format!("{pointer}: {right}") };
        Self { field: Some(pointer), ..Self::new(code, detail) }
    }

    /// A parameter of the path or the query is wrong.
    pub(super) fn parameter(name: &str, right: impl fmt::Display) -> Self {
        let problem = Self::new(Code::ParameterInvalid, format!("{name}: {right}"));
        Self { parameter: Some(name.to_owned()), ..problem }
    }

    /// There is no `thing` of that id, here.
    pub(super) fn not_found(thing: &str, id: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {thing} `{id}`"))
    }

    /// Ours: logs the cause, tells nothing of it.
    pub(super) fn internal(err: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = err, "a request failed");
        Self::new(Code::Internal, "the host failed; its log says how")
    }

    /// The same of a body in which the member stands at `to` and not at `from`.
    pub(super) fn moved(mut self, from: &str, to: &str) -> Self {
        if let Some(field) = self.field.take() {
            let moved = field.strip_prefix(from).map(|rest| format!("{to}{rest}"));
            let moved = moved.unwrap_or_else(|| field.clone());
            self.detail = self.detail.replacen(&field, &moved, 1);
            self.field = Some(moved);
        }
        self
    }

    /// Whether it is of this kind.
    pub(super) fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// What is wrong, in words.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The status that it is answered with.
    pub(super) fn status(&self) -> u16 {
        self.status
    }
}

impl From<StoreError> for Problem {
    fn from(err: StoreError) -> Self {
        match err {
            StoreError::Closed => Self::new(Code::Unavailable, "the host is shutting down"),
            StoreError::Database(_) | StoreError::Corrupt(_) => Self::internal(&err),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = (self.code.status(), self.code);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if code == Code::Unauthenticated {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The answer to a path that there is not.
pub(super) async fn route_unknown() -> Problem {
    Problem::new(Code::RouteUnknown, "there is no such path; GET /v1/openapi.json lists those that there are")
}

/// The answer to a method that a path does not take. The `Allow` header tells which it does.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "this path does not take this method; the Allow header lists those it takes")
}
