//! The operational event of a notice.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::ingest::IncomingEvent;
use hookmill_model::{DeliveryId, Notice, NoticeKind, Subscription, SubscriptionId};

/// The subscription that an event is about.
#[derive(Serialize)]
struct SubscriptionSummary<'a> {
    id: SubscriptionId,
    name: &'a str,
    /// Without its query, which may contain tokens.
    url: String,
}

/// The data of `delivery.failed`.
#[derive(Serialize)]
struct Failed<'a> {
    subscription: SubscriptionSummary<'a>,
    count: u64,
    first_failed_at: Timestamp,
    last_failed_at: Timestamp,
    reason: Option<&'a str>,
    delivery_id: DeliveryId,
}

/// The data of `subscription.paused`.
#[derive(Serialize)]
struct Paused<'a> {
    subscription: SubscriptionSummary<'a>,
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// The number of deliveries that failed until then.
    count: u64,
    paused_at: Timestamp,
}

/// The data of `subscription.activated`.
#[derive(Serialize)]
struct Activated<'a> {
    subscription: SubscriptionSummary<'a>,
    activated_at: Timestamp,
}

/// Returns the event, with the id of the notice.
pub(super) fn incoming(notice: &Notice, subscription: &Subscription) -> IncomingEvent {
    let occurred_at = Some(notice.at);
    IncomingEvent {
        id: Some(notice.id.clone()),
        kind: notice.kind.event_type(),
        occurred_at,
        data: data(notice, subscription),
        changed_fields: None,
        previous: None,
    }
}

fn data(notice: &Notice, subscription: &Subscription) -> Arc<RawValue> {
    let url = without_query(subscription);
    let subscription = SubscriptionSummary { id: subscription.id, name: &subscription.name, url };
    let data = match (notice.kind, &notice.failures) {
        (NoticeKind::DeliveryFailed, Some(failures)) => to_raw_value(&Failed {
            subscription,
            count: failures.count,
            first_failed_at: failures.first_at,
            last_failed_at: failures.last_at,
            reason: failures.last_reason.as_deref(),
            delivery_id: failures.last_delivery,
        }),
        (NoticeKind::DeliveryFailed, None) => unreachable!("the schema: failed_tells_failures"),
        (NoticeKind::SubscriptionPaused, failures) => to_raw_value(&Paused {
            subscription,
            reason: notice.pause_reason.as_deref(),
            detail: notice.detail.as_deref(),
            count: failures.as_ref().map_or(0, |failures| failures.count),
            paused_at: notice.at,
        }),
        (NoticeKind::SubscriptionActivated, _) => to_raw_value(&Activated { subscription, activated_at: notice.at }),
    };
    data.expect("plain data is JSON").into()
}

/// Returns the subscription's URL without its query, the usual place of keys. Some receivers put a key into the path:
/// subscribers of operational events see it.
pub(super) fn without_query(subscription: &Subscription) -> String {
    let mut url = subscription.url.clone();
    url.set_query(None);
    url.into()
}
