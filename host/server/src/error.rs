//! Why a caller is not served: a stable code, what is wrong and where. It knows no HTTP; [`crate::api`] turns it into a
//! problem of RFC 9457.
//!
//! The outside reads `code`, `detail` and where to look; what failed inside the host is logged, once, where the error is
//! made, and never shown.

use std::fmt;

use hookmill_store::StoreError;
use serde::Serialize;

/// What kind of problem. Codes never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ProblemCode)]
#[serde(rename_all = "snake_case")]
pub enum Code {
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

/// Why a caller is not served.
#[derive(Clone, Debug)]
pub struct Error {
    /// What kind of error it is.
    pub code: Code,
    /// What is wrong and what would be right, for people.
    pub detail: String,
    /// JSON pointer to the member of the body that is wrong; "" is the body itself.
    pub field: Option<String>,
    /// The parameter of the path or the query that is wrong.
    pub parameter: Option<String>,
}

impl Error {
    /// A problem of this kind.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, parameter: None }
    }

    /// A member of the body has a wrong value; `right` says what would be right.
    pub fn field(pointer: impl Into<String>, right: impl fmt::Display) -> Self {
        Self::at(Code::FieldInvalid, pointer, right)
    }

    /// A problem with a member of the body. The detail names the member, since not everybody looks at `field`.
    pub fn at(code: Code, pointer: impl Into<String>, right: impl fmt::Display) -> Self {
        let pointer = pointer.into();
        let detail = if pointer.is_empty() { right.to_string() } else { format!("{pointer}: {right}") };
        Self { field: Some(pointer), ..Self::new(code, detail) }
    }

    /// A parameter of the path or the query is wrong.
    pub fn parameter(name: &str, right: impl fmt::Display) -> Self {
        Self { parameter: Some(name.to_owned()), ..Self::new(Code::ParameterInvalid, format!("{name}: {right}")) }
    }

    /// There is no `thing` of that id, here.
    pub fn not_found(thing: &str, id: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {thing} `{id}`"))
    }

    /// Ours: logs the cause, tells nothing of it.
    pub fn internal(err: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = err, "a request failed");
        Self::new(Code::Internal, "the host failed; its log says how")
    }

    /// The same of a body in which the member stands at `to` and not at `from`.
    pub fn moved(mut self, from: &str, to: &str) -> Self {
        if let Some(field) = self.field.take() {
            let moved = field.strip_prefix(from).map(|rest| format!("{to}{rest}"));
            let moved = moved.unwrap_or_else(|| field.clone());
            self.detail = self.detail.replacen(&field, &moved, 1);
            self.field = Some(moved);
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
            StoreError::Database(_) | StoreError::Corrupt(_) => Self::internal(&err),
        }
    }
}
