//! History that is only appended: which rows there are, and what a restart finds.

use std::sync::Arc;

use bytes::Bytes;
use hookmill_model::{Delivery, DeliveryId, DeliveryState, Event, EventId, Outcome, SentRequest, SubscriptionId};
use hookmill_store::{Accepted, Command, Identity, NewDelivery, NewEvent, Record, Recorded, Store as _};

use super::{Kept, after, answered, attempt, delivered, event_at, now, record};

/// The number of rows of each table of deliveries.
fn rows(kept: &Kept) -> [i64; 5] {
    ["events", "deliveries", "attempts", "waiting", "ended"]
        .map(|table| kept.beside().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap())
}

/// An event with the id that the host makes of a key, and a delivery with the next key, leased at once.
fn fresh(kept: &Kept, key: i64, subscription_id: SubscriptionId) -> (NewEvent, Delivery) {
    let event = event_at(&kept.space, "e", "{\"value\":12.50}", now()).event;
    let event = Arc::new(Event { id: EventId::with_key(now(), key), ..(*event).clone() });
    let (id, leased_until) = (DeliveryId::with_key(now(), key + 1), Some(after(60)));
    let new = NewDelivery { id, subscription_id, due_at: now(), leased_until, batch: None, test: false };
    let delivery = Delivery {
        id,
        subscription_id,
        event: Arc::clone(&event),
        batched: 0,
        more: Vec::new(),
        test: false,
        verbatim: false,
        pinned: None,
        state: DeliveryState::Pending,
        attempts: 0,
        due_at: now(),
        leased_until,
        completed_at: None,
        reason: None,
    };
    (NewEvent { event, identity: Identity::Host { key }, values: vec![], deliveries: vec![new] }, delivery)
}

async fn accepted(kept: &Kept, new: NewEvent) {
    assert_eq!(kept.store.accept(vec![new]).await.unwrap(), [Accepted::New { filled: None }]);
}

async fn written(kept: &Kept, record: Record) {
    assert_eq!(kept.store.record(vec![record].into()).await.unwrap(), [Recorded::Written { paused: false }]);
}

#[tokio::test]
async fn a_delivery_that_succeeds_at_once_is_three_rows_and_none_of_them_changes() {
    let kept = Kept::new().await;
    let (new, delivery) = fresh(&kept, kept.store.take_keys(2), kept.subscription().await.id);
    accepted(&kept, new).await;
    assert_eq!(rows(&kept), [1, 1, 0, 0, 0]);
    written(&kept, delivered(&delivery)).await;
    assert_eq!(rows(&kept), [1, 1, 1, 0, 0]);
    assert_eq!(kept.state(delivery.id).await, DeliveryState::Delivered);

    // Sent again, it waits; delivered again, it has another attempt.
    let resend = Command::Resend { verbatim: false };
    kept.store.command(&kept.space, delivery.id, resend, after(9)).await.unwrap();
    assert_eq!((rows(&kept), kept.state(delivery.id).await), ([1, 1, 1, 1, 0], DeliveryState::Pending));
    let again = kept.lease(after(9)).await.remove(0);
    assert_eq!((again.id, again.attempts), (delivery.id, 1));
    written(&kept, delivered(&again)).await;
    assert_eq!((rows(&kept), kept.state(delivery.id).await), ([1, 1, 2, 0, 0], DeliveryState::Delivered));
}

#[tokio::test]
async fn a_failure_waits_then_ends_and_is_in_one_of_both_tables() {
    let kept = Kept::new().await;
    let (new, delivery) = fresh(&kept, kept.store.take_keys(2), kept.subscription().await.id);
    accepted(&kept, new).await;
    written(&kept, record(&delivery, Some(Outcome::Rejected(answered(503))), DeliveryState::Pending)).await;
    assert_eq!(rows(&kept), [1, 1, 1, 1, 0]);
    let again = kept.lease(after(300)).await.remove(0);
    written(&kept, record(&again, Some(Outcome::Rejected(answered(503))), DeliveryState::Failed)).await;
    assert_eq!(rows(&kept), [1, 1, 2, 0, 1]);
    kept.store.command(&kept.space, delivery.id, Command::Resend { verbatim: false }, after(301)).await.unwrap();
    assert_eq!(rows(&kept), [1, 1, 2, 1, 0]);
}

#[tokio::test]
async fn a_restart_finds_what_was_being_sent_for_the_first_time_and_nothing_else() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let (sent, recorded) = fresh(&kept, kept.store.take_keys(2), subscription);
    let (new, being_sent) = fresh(&kept, kept.store.take_keys(2), subscription);
    accepted(&kept, sent).await;
    accepted(&kept, new).await;
    written(&kept, delivered(&recorded)).await;

    let kept = kept.reopened();
    assert_eq!(kept.store.end_all_leases().await.unwrap(), 1);
    let leased = kept.lease(after(1)).await;
    assert_eq!((leased[0].id, leased[0].attempts, leased.len()), (being_sent.id, 0, 1));
    assert_eq!(leased[0].event.data.get(), "{\"value\":12.50}");
    // A record of the process before is late: another worker has the delivery.
    let late = kept.store.record(vec![delivered(&being_sent)].into()).await.unwrap();
    assert_eq!(late, [Recorded::Stale]);
}

#[tokio::test]
async fn keys_that_were_taken_early_and_committed_late_are_found_after_a_restart() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let early = kept.store.take_keys(2);
    // So many that the low-water mark goes past the early keys.
    let _others = kept.store.take_keys(20_000);
    let (new, other) = fresh(&kept, kept.store.take_keys(2), subscription);
    accepted(&kept, new).await;
    written(&kept, delivered(&other)).await;
    let mark: i64 = kept.beside().query_row("SELECT low_water FROM marks", [], |row| row.get(0)).unwrap();
    assert!(mark > early + 1, "{mark}");

    let (new, late) = fresh(&kept, early, subscription);
    accepted(&kept, new).await;
    let kept = kept.reopened();
    assert_eq!(kept.lease(after(1)).await[0].id, late.id);
    // No key is given twice, whatever was taken and never committed.
    assert!(kept.store.take_keys(1) > other.id.key().unwrap());
}

#[tokio::test]
async fn a_lease_taken_on_acceptance_expires_into_the_table_of_what_waits() {
    let kept = Kept::new().await;
    let (new, delivery) = fresh(&kept, kept.store.take_keys(2), kept.subscription().await.id);
    accepted(&kept, new).await;
    assert_eq!(kept.next_due().await, Some(after(60)));
    assert!(kept.lease(after(59)).await.is_empty());
    assert_eq!(kept.lease(after(60)).await[0].id, delivery.id);
    assert_eq!(rows(&kept)[3], 1);
    assert_eq!(kept.store.record(vec![delivered(&delivery)].into()).await.unwrap(), [Recorded::Stale]);
}

#[tokio::test]
async fn a_body_that_repeats_its_events_data_takes_little_and_comes_back_exactly() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let text: String = (0..150_u64).map(|n| (n * n * 7_919).to_string()).collect();
    let data = format!("{{\"value\":12.50,\"text\":\"{text}\"}}");
    kept.store.accept(vec![super::To::to(kept.event(&data), subscription, now())]).await.unwrap();
    let leased = kept.lease(now()).await.remove(0);
    let body = Bytes::from(format!("{{\"type\":\"lead.create\",\"data\":{data}}}"));
    let request = SentRequest {
        method: "POST".to_owned(),
        url: "https://example.com/".to_owned(),
        headers: vec![],
        body: body.clone(),
        signature_headers: 0,
        sealed: vec![],
    };
    let sent = attempt(leased.id, 1, Outcome::Succeeded(answered(204)));
    let sent = hookmill_model::Attempt { request: Some(request), ..sent };
    written(&kept, Record { attempt: Some(sent.clone()), ..delivered(&leased) }).await;

    assert_eq!(kept.read(leased.id).await.1, [sent]);
    assert_eq!(kept.store.delivery_bytes(&kept.space, leased.id).await.unwrap(), body.len() as u64);
    let stored: i64 =
        kept.beside().query_row("SELECT length(request_body) FROM attempts", [], |row| row.get(0)).unwrap();
    assert!(stored < 64 && body.len() > 1_000, "{stored} of {}", body.len());
}

#[tokio::test]
async fn an_id_with_the_key_of_a_row_and_another_time_is_none() {
    let kept = Kept::new().await;
    let key = kept.store.take_keys(2);
    let (new, delivery) = fresh(&kept, key, kept.subscription().await.id);
    let event = new.event.id.clone();
    accepted(&kept, new).await;
    let other = std::time::Duration::from_secs(1);
    assert!(kept.store.delivery(&kept.space, delivery.id).await.unwrap().is_some());
    let forged = DeliveryId::with_key(now() + other, key + 1);
    assert!(kept.store.delivery(&kept.space, forged).await.unwrap().is_none());
    assert!(kept.store.event(&kept.space, &event).await.unwrap().is_some());
    assert!(kept.store.event(&kept.space, &EventId::with_key(now() + other, key)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_producer_may_post_again_what_it_posted_without_an_id() {
    let kept = Kept::new().await;
    let (new, _) = fresh(&kept, kept.store.take_keys(2), kept.subscription().await.id);
    accepted(&kept, new.clone()).await;
    let again = |data: &str| event_at(&kept.space, new.event.id.as_str(), data, after(9));
    let results = kept.store.accept(vec![again("{\"value\":12.50}"), again("{\"value\":12.5}")]).await.unwrap();
    let first = Accepted::Repeat { occurred_at: new.event.occurred_at, accepted_at: now(), deliveries: 1 };
    assert_eq!(results, [first, Accepted::Conflict]);
}
