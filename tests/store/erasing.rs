//! Erasing: what is to be erased leaves nothing in the files, and all else stays.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookmill_model::{
    Answer, DeliveryId, DeliveryState, Digest, Erasure, ErasureState, ErasureTarget, EventId, LogLevel, LogLine,
    Outcome, PinnedPlugin, SentRequest, SpaceId, SubscriptionId, SubscriptionState,
};
use hookmill_store::{
    Accepted, DeliveryFilter, ErasureStep, ForgetStore, IndexedValue, NewBatch, NewEvent, Record, Store,
};
use jiff::Timestamp;

use super::forgetting::whole;
use super::resources::plugin;
use super::{Kept, To, after, event, event_at, now, record};

/// Text that no other row has, in a form that no compression changes: a body repeats it only once.
const MARKER: &str = "Erased-Person-7361";

/// An event of another person, as large as chance wants it: pages give cells to their neighbors.
fn other(kept: &Kept, number: usize) -> NewEvent {
    let filler = "abcdefgh".repeat(1 + (number * 7_919) % 60);
    kept.event(&format!(r#"{{"email":"other{number}@example.com","filler":"{filler}"}}"#))
}

/// A record whose every text holds the marker.
fn marked(leased: &hookmill_model::Delivery, state: DeliveryState, marker: &str) -> Record {
    let mut made = record(
        leased,
        Some(Outcome::Rejected(Answer {
            status: 500,
            headers: vec![("x-answer".to_owned(), format!("{marker} in a header of the response"))],
            body: format!("{marker} in the body of the response {}", "r".repeat(300)).into(),
            truncated: false,
        })),
        state,
    );
    made.reason = Some(format!("{marker} in the reason"));
    let attempt = made.attempt.as_mut().unwrap();
    attempt.request = Some(SentRequest {
        method: "POST".to_owned(),
        url: format!("https://example.com/{marker}"),
        headers: vec![("x-request".to_owned(), format!("{marker} in a header of the request"))],
        // Random to LZ4: kept as literals.
        body: format!("{marker} 9f8e7d6c5b4a in the body of the request").into(),
        signature_headers: 0,
        sealed: vec![],
    });
    attempt.logs = vec![LogLine { level: LogLevel::Info, message: format!("{marker} in the log") }];
    made
}

/// How often a text is in the files of a directory, with their names.
fn found(dir: &Path, text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            let count = bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
            if count > 0 {
                found.push((entry.file_name().into_string().unwrap(), count));
            }
        }
    }
    found
}

/// Runs an erasure to its end.
async fn erase(kept: &Kept, target: ErasureTarget) -> Erasure {
    let begun = kept.store.begin_erasure(&kept.space, target, now()).await.unwrap().unwrap();
    finish(kept, begun, after(0)).await
}

async fn finish(kept: &Kept, erasure: Erasure, at: Timestamp) -> Erasure {
    while kept.store.step_erasure(&erasure, at, 50).await.unwrap() != ErasureStep::Erased {}
    clean(kept).await;
    kept.store.finish_erasure(erasure.id, at).await.unwrap();
    let done = kept.store.erasure(erasure.id).await.unwrap().unwrap();
    assert_eq!(done.state, ErasureState::Done);
    done
}

async fn clean(kept: &Kept) {
    let mut next = Some(1);
    while let Some(from) = next {
        next = kept.store.clean_pages(from, 64).await.unwrap();
    }
    while !kept.store.empty_log().await.unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// 300 events, and of each so many one whose every text holds the marker: two deliveries that failed, one that waits. Returns
/// the last of them.
async fn among_others(kept: &Kept, subscriptions: &[SubscriptionId], each: usize) -> (EventId, Vec<DeliveryId>) {
    let mut marked_ids = Vec::new();
    let mut id = None;
    for number in 0..300 {
        let mut new = other(kept, number);
        let ours = number % each == each / 2;
        if ours {
            new = kept.event(&format!(r#"{{"contact":{{"email":"{MARKER}@example.com"}}}}"#));
            id = Some(new.event.id.clone());
        }
        let value = if ours { format!("{MARKER}@example.com") } else { format!("other{number}@example.com") };
        new.values = vec![IndexedValue { path: "contact.email".parse().unwrap(), value }];
        for subscription in subscriptions {
            new = new.to(*subscription, now());
        }
        if ours {
            marked_ids.extend(new.deliveries.iter().map(|delivery| delivery.id));
        }
        kept.store.accept(vec![new]).await.unwrap();
    }
    // In an order that is not that of their keys: rows go to all places.
    let mut leased = kept.lease(now()).await;
    leased.sort_by_key(|delivery| delivery.id.to_string().chars().rev().collect::<String>());
    for (number, delivery) in leased.iter().enumerate() {
        let ours = marked_ids.contains(&delivery.id);
        let marker = if ours { MARKER.to_owned() } else { "o".repeat(1 + number * 31 % 250) };
        let waits = if ours { delivery.subscription_id == subscriptions[0] } else { number % 3 == 0 };
        let state = if waits { DeliveryState::Pending } else { DeliveryState::Failed };
        kept.store.record(vec![marked(delivery, state, &marker)].into()).await.unwrap();
    }
    (id.unwrap(), marked_ids.split_off(marked_ids.len() - subscriptions.len()))
}

async fn three(kept: &Kept) -> Vec<SubscriptionId> {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(kept.subscription().await.id);
    }
    ids
}

#[tokio::test]
async fn nothing_of_an_erased_event_is_left_in_the_files_and_all_else_is() {
    let kept = Kept::new().await;
    let subscriptions = three(&kept).await;
    let (id, deliveries) = among_others(&kept, &subscriptions, 300).await;
    assert!(!found(kept.dir.path(), MARKER).is_empty());
    whole(&kept);

    let done = erase(&kept, ErasureTarget::Event(Some(id.clone()))).await;

    assert_eq!((done.events, done.deliveries, done.target), (1, 3, ErasureTarget::Event(None)));
    assert_eq!(found(kept.dir.path(), MARKER), []);
    assert!(kept.store.event(&kept.space, &id).await.unwrap().is_none());
    for delivery in deliveries {
        assert!(kept.store.delivery(&kept.space, delivery).await.unwrap().is_none());
    }
    whole(&kept);
    let left: i64 = kept.beside().query_row("SELECT count(*) FROM deliveries", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 299 * 3);
    let backlog: i64 = kept.beside().query_row("SELECT count(*) FROM waiting", [], |row| row.get(0)).unwrap();
    assert_eq!(kept.store.backlog()[0], (DeliveryState::Pending, backlog.unsigned_abs()));
}

#[tokio::test]
async fn a_value_is_erased_wherever_it_is_at_its_path_and_nowhere_else() {
    let kept = Kept::new().await;
    let subscriptions = three(&kept).await;
    among_others(&kept, &subscriptions, 10).await;
    let elsewhere = kept.event(&format!(r#"{{"note":"{MARKER}@example.com"}}"#));
    kept.store.accept(vec![elsewhere.clone()]).await.unwrap();
    let mut previous = event(&kept.space, "evt_previous", "{}");
    let before =
        serde_json::value::RawValue::from_string(format!(r#"{{"contact":[{{"email":"{MARKER}@example.com"}}]}}"#));
    Arc::get_mut(&mut previous.event).unwrap().previous = Some(before.unwrap().into());
    kept.store.accept(vec![previous]).await.unwrap();

    let value = Some(format!("{MARKER}@example.com").into());
    let done = erase(&kept, ErasureTarget::Value { path: "contact.email".to_owned(), value }).await;

    assert_eq!((done.searched, done.events, done.deliveries), (302, 31, 90));
    assert_eq!(done.target, ErasureTarget::Value { path: "contact.email".to_owned(), value: None });
    whole(&kept);
    // The one elsewhere, and nothing more.
    assert!(kept.store.event(&kept.space, &elsewhere.event.id).await.unwrap().is_some());
    erase(&kept, ErasureTarget::Event(Some(elsewhere.event.id.clone()))).await;
    assert_eq!(found(kept.dir.path(), MARKER), []);
    whole(&kept);
}

#[tokio::test]
async fn a_delivery_and_a_history_are_erased_and_their_events_stay() {
    let kept = Kept::new().await;
    let subscriptions = three(&kept).await;
    let (id, deliveries) = among_others(&kept, &subscriptions, 300).await;
    let done = erase(&kept, ErasureTarget::Delivery(deliveries[1])).await;
    assert_eq!((done.events, done.deliveries), (0, 1));
    assert_eq!(kept.store.event(&kept.space, &id).await.unwrap().unwrap().1, 2);
    whole(&kept);

    for (number, subscription) in subscriptions.iter().enumerate() {
        let done = erase(&kept, ErasureTarget::Subscription(*subscription)).await;
        assert_eq!(done.deliveries, if number == 1 { 299 } else { 300 });
    }
    assert_eq!(found(kept.dir.path(), &format!("{MARKER} in")), []);
    assert_eq!(kept.store.event(&kept.space, &id).await.unwrap().unwrap().1, 0);
    assert_eq!(kept.store.backlog(), [(DeliveryState::Pending, 0), (DeliveryState::Held, 0)]);
    whole(&kept);
}

#[tokio::test]
async fn what_is_being_sent_is_waited_for_and_then_erased() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let new = kept.event(&format!(r#""{MARKER}""#)).to(subscription, now());
    let id = new.event.id.clone();
    kept.store.accept(vec![new]).await.unwrap();
    let leased = kept.lease(now()).await.remove(0);
    let begun = kept.store.begin_erasure(&kept.space, ErasureTarget::Event(Some(id)), now()).await.unwrap().unwrap();
    for _ in 0..3 {
        assert_eq!(kept.store.step_erasure(&begun, after(1), 50).await.unwrap(), ErasureStep::InFlight);
    }
    kept.store.record(vec![marked(&leased, DeliveryState::Pending, MARKER)].into()).await.unwrap();
    finish(&kept, begun, after(2)).await;
    assert_eq!(found(kept.dir.path(), MARKER), []);
    assert_eq!(kept.store.backlog()[0].1, 0);
}

#[tokio::test]
async fn a_batch_without_an_erased_event_is_listed_at_the_time_of_its_events() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    for id in ["first", "second"] {
        let mut new = event(&kept.space, id, "{}").to(subscription, after(3_600));
        let batch = NewBatch { closes_at: after(100), max: 9, bytes_max: 1_000, due_if_full: now() };
        new.deliveries[0].batch = Some(batch);
        kept.store.accept(vec![new]).await.unwrap();
    }
    // Later keys, of a later minute.
    kept.store.accept(vec![event_at(&kept.space, "later", "{}", after(600))]).await.unwrap();
    let first = ErasureTarget::Event(Some(EventId::parse("first").unwrap()));
    let begun = kept.store.begin_erasure(&kept.space, first, after(600)).await.unwrap().unwrap();
    finish(&kept, begun, after(660)).await;
    for until in [after(60), after(900)] {
        let filter = DeliveryFilter { since: Some(now()), until: Some(until), ..DeliveryFilter::default() };
        let found = kept.store.deliveries(&kept.space, filter, 9).await.unwrap().entries;
        let events: Vec<_> = found.iter().map(|delivery| delivery.event_id.as_str()).collect();
        assert_eq!(events, ["second"], "until {until}");
    }
}

#[tokio::test]
async fn an_erasure_goes_on_in_the_next_process_from_where_it_was() {
    let kept = Kept::new().await;
    let subscriptions = three(&kept).await;
    among_others(&kept, &subscriptions, 300).await;
    let value = Some(format!("{MARKER}@example.com").into());
    let target = ErasureTarget::Value { path: "contact.email".to_owned(), value };
    let begun = kept.store.begin_erasure(&kept.space, target, now()).await.unwrap().unwrap();
    for _ in 0..2 {
        assert_eq!(kept.store.step_erasure(&begun, now(), 50).await.unwrap(), ErasureStep::More);
    }
    let kept = kept.reopened();
    let left = kept.store.unfinished_erasures().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].searched, left[0].state), (100, ErasureState::Erasing));
    let done = finish(&kept, left[0].clone(), now()).await;
    assert_eq!((done.searched, done.events), (300, 1));
    assert_eq!(found(kept.dir.path(), MARKER), []);
    assert!(kept.store.unfinished_erasures().await.unwrap().is_empty());
    assert_eq!(kept.store.erasures(&kept.space, None, 10).await.unwrap(), [done]);
}

#[tokio::test]
async fn an_erased_id_that_is_posted_again_is_a_new_event() {
    let kept = Kept::new().await;
    let new = event(&kept.space, "order-1", "{}");
    kept.store.accept(vec![new.clone()]).await.unwrap();
    assert!(matches!(kept.store.accept(vec![new.clone()]).await.unwrap()[0], Accepted::Repeat { .. }));
    erase(&kept, ErasureTarget::Event(Some(new.event.id.clone()))).await;
    assert!(matches!(kept.store.accept(vec![new]).await.unwrap()[0], Accepted::New { .. }));
}

#[tokio::test]
async fn a_space_goes_with_all_it_has_and_its_neighbor_keeps_everything() {
    let kept = Kept::new().await;
    let other_space = SpaceId::parse("other").unwrap();
    assert!(kept.store.create_space(super::space_called(&other_space)).await.unwrap());
    let neighbor = event(&other_space, "evt_neighbor", "{}");
    kept.store.accept(vec![neighbor.clone()]).await.unwrap();
    let subscriptions = three(&kept).await;
    among_others(&kept, &subscriptions, 300).await;
    for id in &subscriptions {
        let (mut subscription, _) = kept.store.subscription(&kept.space, *id).await.unwrap().unwrap();
        subscription.state = SubscriptionState::Deleted;
        kept.store.put_subscription(&subscription, now()).await.unwrap();
    }
    let begun = kept.store.begin_erasure(&kept.space, ErasureTarget::Space, now()).await.unwrap().unwrap();
    assert!(kept.store.space(&kept.space).await.unwrap().is_none());
    // Its id is taken until it is gone.
    assert!(!kept.store.create_space(super::space_called(&kept.space)).await.unwrap());
    let done = finish(&kept, begun, after(120)).await;
    assert_eq!((done.events, done.deliveries), (300, 900));
    assert_eq!(found(kept.dir.path(), MARKER), []);
    assert_eq!(found(kept.dir.path(), "CRM to Zapier"), []);
    for table in
        ["attempts", "deliveries", "waiting", "ended", "subscriptions", "subscription_activity", "failure_groups"]
    {
        let left: i64 =
            kept.beside().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{table}");
    }
    assert!(kept.store.event(&other_space, &neighbor.event.id).await.unwrap().is_some());
    assert_eq!(kept.store.stored_bytes(&kept.space), 0);
    assert!(kept.store.create_space(super::space_called(&kept.space)).await.unwrap());
    assert!(kept.store.events(&kept.space, None, 10).await.unwrap().entries.is_empty());
    kept.subscription().await;
}

#[tokio::test]
async fn a_space_goes_with_its_plugins_and_a_component_that_another_has_too_stays() {
    let kept = Kept::new().await;
    let other_space = SpaceId::parse("other").unwrap();
    assert!(kept.store.create_space(super::space_called(&other_space)).await.unwrap());
    // Of many pages, none of which is like another.
    let component = |of: &str| Bytes::from((0..3_000).map(|n| format!("{n}: {MARKER} {of}; ")).collect::<String>());
    let (own, pinned, both) = (component("own"), component("pinned"), component("both"));
    for (space, version, component) in [
        (&kept.space, "1.0.0", &own),
        (&kept.space, "1.1.0", &pinned),
        (&kept.space, "1.2.0", &both),
        (&other_space, "1.0.0", &both),
    ] {
        let mut plugin = plugin(Some(space), version, component);
        plugin.summary = format!("A summary of {space} {version}");
        plugin.source = Some(format!("oci:registry.example/{space}"));
        assert!(kept.store.put_plugin(&plugin, component.clone()).await.unwrap());
    }
    // A delivery that is to be retried with a version and a configuration.
    let subscription = kept.subscription().await.id;
    kept.delivery(subscription, now()).await;
    let leased = kept.lease(now()).await.remove(0);
    let mut made = marked(&leased, DeliveryState::Pending, MARKER);
    let config = format!(r#"{{"key":"{MARKER} in the configuration"}}"#);
    made.pinned = Some(Arc::new(PinnedPlugin { digest: Some(Digest::of(&pinned)), config }));
    kept.store.record(vec![made].into()).await.unwrap();
    let (mut deleted, _) = kept.store.subscription(&kept.space, subscription).await.unwrap().unwrap();
    deleted.state = SubscriptionState::Deleted;
    kept.store.put_subscription(&deleted, now()).await.unwrap();
    for (text, there) in [("own; ", true), ("pinned; ", true), ("A summary of acme", true), ("example/acme", true)] {
        assert_eq!(!found(kept.dir.path(), text).is_empty(), there, "{text}");
    }

    let begun = kept.store.begin_erasure(&kept.space, ErasureTarget::Space, now()).await.unwrap().unwrap();
    finish(&kept, begun, after(120)).await;

    for text in ["own; ", "pinned; ", "A summary of acme", "example/acme", "in the configuration"] {
        assert_eq!(found(kept.dir.path(), text), [], "{text}");
    }
    assert_eq!(kept.store.component_digests().await.unwrap(), [Digest::of(&both)]);
    assert_eq!(kept.store.component(Digest::of(&both)).await.unwrap(), Some(both));
    assert_eq!(kept.store.plugins(&other_space, None).await.unwrap().len(), 1);
    assert!(kept.store.plugins(&kept.space, None).await.unwrap().is_empty());
}
