//! A notice: what the host itself has to tell a space about one of its subscriptions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, EventId, EventType, SubscriptionId};

/// What is told. Its name is the type of the operational event that tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeKind {
    /// Deliveries failed: all of a group's.
    #[serde(rename = "delivery.failed")]
    DeliveryFailed,
    /// The host paused the subscription.
    #[serde(rename = "subscription.paused")]
    SubscriptionPaused,
    /// The subscription is active again.
    #[serde(rename = "subscription.activated")]
    SubscriptionActivated,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DeliveryFailed, Self::SubscriptionPaused, Self::SubscriptionActivated];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeliveryFailed => "delivery.failed",
            Self::SubscriptionPaused => "subscription.paused",
            Self::SubscriptionActivated => "subscription.activated",
        }
    }

    /// The type of the operational event.
    pub fn event_type(self) -> EventType {
        EventType::parse(self.as_str()).expect("the names are event types")
    }
}

impl EventType {
    /// Whether events of this type are made by the host itself, and by nobody else.
    pub fn is_operational(&self) -> bool {
        NoticeKind::ALL.iter().any(|kind| kind.as_str() == self.as_str())
    }
}

/// How far a notice has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeStage {
    /// Its event is to be made.
    Event,
    /// Its mail is to be sent, if one is wanted.
    Mail,
}

/// A notice that is not told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The id of its event. Made once and kept, so that making the event again is a repeat.
    pub id: EventId,
    /// Whom it is about.
    pub subscription_id: SubscriptionId,
    /// What is told.
    pub kind: NoticeKind,
    /// When it arose.
    pub at: Timestamp,
    /// Why the subscription was paused, by the reason's name.
    pub pause_reason: Option<String>,
    /// What led to the pause, in words.
    pub detail: Option<String>,
    /// What failed until then; none if nothing did.
    pub failures: Option<Failures>,
    /// How often its mail was tried.
    pub tries: u32,
}

/// A group of failed deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u64,
    /// When the first failed.
    pub first_at: Timestamp,
    /// When the last failed.
    pub last_at: Timestamp,
    /// Why the last failed, in words.
    pub last_reason: Option<String>,
    /// The last.
    pub last_delivery: DeliveryId,
}
