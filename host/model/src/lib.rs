//! The model: spaces, events, subscriptions, deliveries, attempts, plugins and keys.
//!
//! Input is parsed once, at the edge, into types that cannot hold an invalid value; nothing behind the edge checks again.
//! The model depends on no stage, no store and no HTTP server.
#![forbid(unsafe_code)]

mod activity;
mod attempt;
mod delivery;
mod difference;
mod erasure;
mod event;
mod failure_group;
mod field_path;
mod handshake;
mod id;
mod key;
mod notice;
mod pattern;
mod pause;
mod pinned;
mod plugin;
mod plugin_key;
mod plugin_ref;
mod quotas;
mod replay;
mod request;
mod rules;
mod secret;
mod shadow;
mod signing;
mod space;
mod subscription;
mod success;
mod template;
mod time;
mod transform_outcome;

pub use activity::{Activity, CountedAttempt};
pub use attempt::{
    Answer, Attempt, FaultCode, Figures, LogLevel, LogLine, Outcome, PluginFault, PluginFaultCode, SendFault,
    SendFaultCode, SentRequest,
};
pub use delivery::{Delivery, DeliveryState};
pub use difference::{Change, Difference, Part};
pub use erasure::{Erasure, ErasureState, ErasureTarget};
pub use event::{Event, EventId, EventType};
pub use failure_group::{FailureGroup, Quiet};
pub use field_path::FieldPath;
pub use handshake::{Handshake, HandshakeKind, HandshakeReport};
pub use id::{DeliveryId, ErasureId, IdError, KeyId, ReplayId, SubscriptionId};
pub use key::{Key, Role};
pub use notice::{Failures, Notice, NoticeKind, NoticeStage};
pub use pattern::Pattern;
pub use pause::{Pause, PausePolicy};
pub use pinned::PinnedPlugin;
pub use plugin::{Digest, Plugin, PluginName, PluginVersion};
pub use plugin_key::PluginKey;
pub use plugin_ref::{HeldBack, OnFailure, PluginRef, VersionRange, WantedVersion};
pub use quotas::Quotas;
pub use replay::{Replay, ReplayState, ReplayWhat};
pub use request::{Body, Draft, Request, Sealed, forbidden_header};
pub use rules::{AnswerRule, Batch, QueryParameter, Rate, RatePeriod, StatusChange, Trigger};
pub use secret::Secret;
pub use shadow::{Shadow, Tally};
pub use signing::{HmacAlgorithm, HmacScheme, SignatureEncoding, Signing, StandardAlgorithm};
pub use space::{MailAddress, Retention, Space, SpaceId};
pub use subscription::{
    ContentType, CustomHeader, FieldSelection, Method, PauseReason, RetryPolicy, SIGNING_SECRET, Subscription,
    SubscriptionState, TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX,
};
pub use success::SuccessCodes;
pub use template::{Piece, Template};
pub use time::{TIME_PATTERN, parse_time};
pub use transform_outcome::TransformOutcome;

/// The reason why a text is not a valid value; states what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    /// Creates the error from a message that states what would be valid.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Implements `Display`, `FromStr` and serde for a newtype over `String` that has a `parse(&str)`.
macro_rules! text_newtype {
    ($name:ident) => {
        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::Invalid;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_newtype;
