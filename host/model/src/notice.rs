//! A notice: the host's message to a space about one of its subscriptions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, EventId, EventType, SubscriptionId};

/// The kind of a notice. Its name is the type of the operational event that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeKind {
    /// Deliveries failed: all of a group.
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

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeliveryFailed => "delivery.failed",
            Self::SubscriptionPaused => "subscription.paused",
            Self::SubscriptionActivated => "subscription.activated",
        }
    }

    /// Returns the type of the operational event.
    pub fn event_type(self) -> EventType {
        EventType::parse(self.as_str()).expect("the names are valid event types")
    }
}

impl EventType {
    /// Whether only the host itself creates events of this type.
    pub fn is_operational(&self) -> bool {
        NoticeKind::ALL.iter().any(|kind| kind.as_str() == self.as_str())
    }
}

/// The next step for a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeStage {
    /// Its event is to be created.
    Event,
    /// Its mail is to be sent, if one is wanted.
    Mail,
}

/// A notice that is still to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The id of its event. Generated once and stored, so that creating the event again is a repeat.
    pub id: EventId,
    /// Its subscription.
    pub subscription_id: SubscriptionId,
    /// Its kind.
    pub kind: NoticeKind,
    /// When it was raised.
    pub at: Timestamp,
    /// The name of the reason why the subscription was paused.
    pub pause_reason: Option<String>,
    /// What led to the pause.
    pub detail: Option<String>,
    /// The failures until then; none if there were none.
    pub failures: Option<Failures>,
    /// The number of attempts to send its mail.
    pub tries: u32,
}

/// A group of failed deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// The number of failed deliveries.
    pub count: u64,
    /// When the first failed.
    pub first_at: Timestamp,
    /// When the last failed.
    pub last_at: Timestamp,
    /// Why the last failed.
    pub last_reason: Option<String>,
    /// The delivery that failed last.
    pub last_delivery: DeliveryId,
}
