//! Values at the paths that a space indexes: which events and deliveries they find.

use std::sync::Arc;

use hookmill_model::{DeliveryId, DeliveryState, EventId, FieldPath, SpaceId};
use hookmill_store::{DeliveryFilter, EventFilter, IndexedValue, NewBatch, NewEvent, Store};

use super::{Kept, To as _, after, delivered, event_at, space_called};

fn value(path: &str, value: &str) -> IndexedValue {
    IndexedValue { path: FieldPath::parse(path).unwrap(), value: value.to_owned() }
}

/// An event accepted at this second, with this value at `deal.id`.
fn event(kept: &Kept, second: u64, deal: &str) -> NewEvent {
    NewEvent {
        values: vec![value("deal.id", deal)],
        ..event_at(&kept.space, &format!("e{second}"), "{}", after(second))
    }
}

/// The ids found by a deal, newest first, read from pages of this size.
async fn deliveries(kept: &Kept, deal: &str, limit: usize, filter: DeliveryFilter) -> Vec<DeliveryId> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let filter = DeliveryFilter { value: Some(value("deal.id", deal)), before, ..filter.clone() };
        let part = kept.store.deliveries(&kept.space, filter, limit).await.unwrap();
        found.extend(part.entries.iter().map(|head| head.id));
        before = part.next;
        if before.is_none() {
            return found;
        }
    }
}

async fn events(kept: &Kept, deal: &str, limit: usize) -> Vec<EventId> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let filter = EventFilter { value: Some(value("deal.id", deal)), before };
        let part = kept.store.event_heads(&kept.space, filter, limit).await.unwrap();
        found.extend(part.entries.into_iter().map(|head| head.id));
        before = part.next;
        if before.is_none() {
            return found;
        }
    }
}

fn ids(names: &[&str]) -> Vec<EventId> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[tokio::test]
async fn events_and_deliveries_are_found_by_a_value_page_by_page() {
    let kept = Kept::new().await;
    let (one, two) = (kept.subscription().await.id, kept.subscription().await.id);
    let mut of_a = Vec::new();
    for second in 0..8 {
        let mut event = event(&kept, second, if second % 2 == 0 { "a" } else { "b" });
        // The sixth has no delivery.
        if second != 6 {
            event = event.to(one, after(second)).to(two, after(second));
        }
        if second % 2 == 0 {
            of_a.splice(0..0, event.deliveries.iter().rev().map(|delivery| delivery.id));
        }
        kept.store.accept(vec![event]).await.unwrap();
    }
    assert_eq!(of_a.len(), 6);
    for limit in [1, 2, 3, 50] {
        assert_eq!(deliveries(&kept, "a", limit, DeliveryFilter::default()).await, of_a, "{limit}");
        assert_eq!(events(&kept, "a", limit).await, ids(&["e6", "e4", "e2", "e0"]), "{limit}");
        assert_eq!(events(&kept, "c", limit).await, []);
        assert_eq!(deliveries(&kept, "c", limit, DeliveryFilter::default()).await, []);
    }
    let kept = kept.reopened();
    assert_eq!(events(&kept, "a", 2).await, ids(&["e6", "e4", "e2", "e0"]));
    let since = DeliveryFilter { since: Some(after(1)), ..DeliveryFilter::default() };
    assert_eq!(deliveries(&kept, "a", 1, since).await, of_a[..4]);
    let to_two = DeliveryFilter { subscription: Some(two), ..DeliveryFilter::default() };
    assert_eq!(deliveries(&kept, "a", 1, to_two).await, [of_a[0], of_a[2], of_a[4]]);
}

#[tokio::test]
async fn a_value_narrows_other_filters_whichever_has_fewer_deliveries() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let mut all = Vec::new();
    for second in 0..20 {
        let event = event(&kept, second, if second < 2 { "rare" } else { "common" }).to(subscription, after(second));
        all.push(event.deliveries[0].id);
        kept.store.accept(vec![event]).await.unwrap();
    }
    let leased = kept.lease_up_to(3, after(19), after(100)).await;
    kept.store.record(leased.iter().map(delivered).collect()).await.unwrap();
    let state = |state| DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
    let find = |deal, state| deliveries(&kept, deal, 1, state);
    assert_eq!(find("rare", state(DeliveryState::Delivered)).await, [all[1], all[0]]);
    assert_eq!(find("common", state(DeliveryState::Delivered)).await, [all[2]]);
    assert_eq!(find("rare", state(DeliveryState::Pending)).await, []);
    assert_eq!(find("common", state(DeliveryState::Pending)).await.len(), 17);
    let of_event = DeliveryFilter { event: Some("e1".parse().unwrap()), ..DeliveryFilter::default() };
    assert_eq!(find("rare", of_event.clone()).await, [all[1]]);
    assert_eq!(find("common", of_event).await, []);
}

#[tokio::test]
async fn a_batch_is_found_once_by_the_values_of_each_of_its_events() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let mut batches = Vec::new();
    for (second, deal) in [(0, "a"), (1, "b"), (2, "b"), (3, "c")] {
        let mut event = event(&kept, second, deal).to(subscription, after(100));
        let batch = NewBatch { closes_at: after(100), max: 3, bytes_max: 1_000, due_if_full: after(second) };
        event.deliveries[0].batch = Some(batch);
        batches.push(event.deliveries[0].id);
        kept.store.accept(vec![event]).await.unwrap();
    }
    for limit in [1, 50] {
        assert_eq!(deliveries(&kept, "a", limit, DeliveryFilter::default()).await, [batches[0]]);
        assert_eq!(deliveries(&kept, "b", limit, DeliveryFilter::default()).await, [batches[0]]);
        assert_eq!(deliveries(&kept, "c", limit, DeliveryFilter::default()).await, [batches[3]]);
    }
    // From the index of what is fewer: here, the event's deliveries.
    let of_event = DeliveryFilter { event: Some("e0".parse().unwrap()), ..DeliveryFilter::default() };
    assert_eq!(deliveries(&kept, "b", 1, of_event).await, [batches[0]]);
    assert_eq!(events(&kept, "b", 1).await, ids(&["e2", "e1"]));
}

#[tokio::test]
async fn a_repeated_event_is_indexed_once_and_a_space_sees_no_values_of_another() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let posted = event(&kept, 0, "a").to(subscription, after(0));
    kept.store.accept(vec![posted.clone()]).await.unwrap();
    kept.store.accept(vec![posted.clone()]).await.unwrap();
    assert_eq!(events(&kept, "a", 50).await, ids(&["e0"]));
    let elsewhere = SpaceId::parse("other").unwrap();
    kept.store.create_space(space_called(&elsewhere)).await.unwrap();
    let filter = EventFilter { value: Some(value("deal.id", "a")), before: None };
    assert!(kept.store.event_heads(&elsewhere, filter.clone(), 10).await.unwrap().entries.is_empty());
    // Although it has the same value.
    let mut same = posted;
    Arc::make_mut(&mut same.event).space = elsewhere.clone();
    same.deliveries.clear();
    kept.store.accept(vec![same]).await.unwrap();
    assert_eq!(kept.store.event_heads(&elsewhere, filter, 10).await.unwrap().entries.len(), 1);
    assert_eq!(events(&kept, "a", 50).await, ids(&["e0"]));
}
