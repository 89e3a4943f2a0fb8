//! The error of a request: a stable code, what is wrong and where. Independent of HTTP; `hookmill-api` renders it as
//! problem details (RFC 9457).
//!
//! Callers see `code`, `detail` and the location. An internal cause is logged once, where the error is created, and never
//! shown.

use std::fmt;

use hookmill_store::StoreError;
use serde::Serialize;

/// Kind of an error. The meaning of a code never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ProblemCode)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The body is not valid JSON.
    JsonInvalid,
    /// A path, query or header parameter is invalid.
    ParameterInvalid,
    /// The API key is missing or unknown.
    Unauthenticated,
    /// The key does not permit this operation, or not in this space.
    Forbidden,
    /// The path does not exist.
    RouteUnknown,
    /// The resource at this path does not exist.
    NotFound,
    /// The path does not support this method.
    MethodNotAllowed,
    /// An event with this id but different content was already accepted.
    EventConflict,
    /// A space with this id already exists.
    SpaceExists,
    /// A plugin with this name and version, but a different component, already exists.
    PluginVersionExists,
    /// Subscriptions use this version of the plugin, or deliveries are still to be retried with it.
    PluginInUse,
    /// The plugin is bundled with the host.
    PluginBundled,
    /// The version to roll back to was deleted.
    PluginDeleted,
    /// The subscription has no previous plugin.
    NoEarlierPlugin,
    /// The delivery is being sent.
    DeliveryInFlight,
    /// The delivery's state does not permit this operation.
    DeliveryState,
    /// The subscription's state does not permit this operation.
    SubscriptionState,
    /// Another subscription sends the same events to the same URL on the same trigger.
    SubscriptionIdentical,
    /// A trigger field of the subscription already triggers another subscription.
    TriggerTaken,
    /// The endpoint did not pass the handshake.
    HandshakeRejected,
    /// The subscription already has the maximum number of secrets.
    SecretsMax,
    /// The last admin key cannot be deleted.
    LastAdminKey,
    /// The body, or a part of it, exceeds its size limit.
    TooLarge,
    /// The path does not accept the body's content type.
    ContentTypeUnsupported,
    /// A member of the body has an invalid value.
    FieldInvalid,
    /// A required member of the body is missing.
    FieldMissing,
    /// The body has an unknown member.
    FieldUnknown,
    /// The host refuses the component as a plugin.
    PluginRefused,
    /// The space requires signed plugins, and none of its keys verifies the component's signature.
    PluginUnsigned,
    /// The component could not be pulled from the registry.
    PluginPullFailed,
    /// The host has no mail server, or the space no administrators.
    MailUnavailable,
    /// The mail server does not accept the mail.
    MailFailed,
    /// A rate of the space or of the key is exceeded: try again after the seconds in the header `Retry-After`.
    QuotaExceeded,
    /// The space already has as many of these as its quota allows.
    QuotaReached,
    /// Internal error of the host.
    Internal,
    /// The host cannot serve the request now.
    Unavailable,
    /// The host's disk is full or fails. Nothing was stored.
    DiskFailed,
}

/// Seconds after which a caller tries again when the disk fails, which somebody has to repair or to clear.
const DISK_RETRY_S: u32 = 10;

/// The error of a request.
#[derive(Clone, Debug)]
pub struct Error {
    /// Kind of the error.
    pub code: Code,
    /// What is wrong and what is expected, for people.
    pub detail: String,
    /// JSON pointer to the invalid member of the body; "" is the body itself.
    pub field: Option<String>,
    /// Name of the invalid path, query or header parameter.
    pub parameter: Option<String>,
    /// Seconds after which to try again, if that is known.
    pub retry_after_s: Option<u32>,
}

impl Error {
    /// Creates an error of this kind, without a location.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, parameter: None, retry_after_s: None }
    }

    /// Creates the error for an invalid member of the body; `expected` says what is valid.
    pub fn field(pointer: impl Into<String>, expected: impl fmt::Display) -> Self {
        Self::at(Code::FieldInvalid, pointer, expected)
    }

    /// Creates an error of this kind at a member of the body. The detail repeats the pointer for those who read it alone.
    pub fn at(code: Code, pointer: impl Into<String>, expected: impl fmt::Display) -> Self {
        let pointer = pointer.into();
        let detail = if pointer.is_empty() { expected.to_string() } else { format!("{pointer}: {expected}") };
        Self { field: Some(pointer), ..Self::new(code, detail) }
    }

    /// Creates the error for an invalid parameter; `expected` says what is valid.
    pub fn parameter(name: &str, expected: impl fmt::Display) -> Self {
        Self { parameter: Some(name.to_owned()), ..Self::new(Code::ParameterInvalid, format!("{name}: {expected}")) }
    }

    /// Creates the error for a `resource`, such as "delivery", that does not exist in the space.
    pub fn not_found(resource: &str, id: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("{resource} `{id}` does not exist"))
    }

    /// Logs an internal fault and creates an error that does not reveal it.
    pub fn internal(err: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = err, "request failed");
        Self::new(Code::Internal, "internal error; the cause is in the host's log")
    }

    /// Creates the error for a disk that is full or fails.
    pub fn disk(detail: &str) -> Self {
        Self { retry_after_s: Some(DISK_RETRY_S), ..Self::new(Code::DiskFailed, detail) }
    }

    /// Replaces the prefix `from` of the pointer, in `field` and in the detail, by `to`: for a value that was checked as a
    /// part of another body than the caller's.
    pub fn rebased(mut self, from: &str, to: &str) -> Self {
        if let Some(field) = self.field.take() {
            let rebased = field.strip_prefix(from).map(|rest| format!("{to}{rest}"));
            let rebased = rebased.unwrap_or_else(|| field.clone());
            self.detail = self.detail.replacen(&field, &rebased, 1);
            self.field = Some(rebased);
        }
        self
    }

    /// Whether it is of this kind.
    pub fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// What is wrong, in words.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<StoreError> for Error {
    fn from(err: StoreError) -> Self {
        match err {
            StoreError::Closed => Self::new(Code::Unavailable, "the host is shutting down"),
            StoreError::TooSlow => {
                Self::new(Code::Unavailable, "the query takes too long: narrow it, or ask for fewer entries")
            }
            StoreError::Disk(_) => {
                tracing::error!(error = &err as &dyn std::error::Error, "request failed");
                Self::disk("the host's disk is full or fails, and nothing was stored: try again later")
            }
            StoreError::Unreadable(..) => {
                Self::new(Code::Internal, format!("{err}: the host's log says why; an operator has to mend it"))
            }
            StoreError::Database(_) | StoreError::Corrupt(_) => Self::internal(&err),
        }
    }
}
