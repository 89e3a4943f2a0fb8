use hookmill_model::{DeliveryId, DeliveryState, EventId, Outcome, SpaceId};
use hookmill_store::{DeliveryFilter, DeliveryHead, Store};

use super::{Kept, To as _, after, answered, delivered, event_at, now, record, space_called};

/// Twelve deliveries of six events to two subscriptions, one event a second; the first four in other states.
struct Listed {
    kept: Kept,
    subscriptions: [hookmill_model::SubscriptionId; 2],
    /// By event, then by subscription.
    all: Vec<[DeliveryId; 2]>,
}

async fn listed() -> Listed {
    let kept = Kept::new().await;
    let subscriptions = [kept.subscription().await.id, kept.subscription().await.id];
    let mut all = Vec::new();
    for second in 0..6 {
        let name = format!("e{second}");
        let [one, two] = subscriptions;
        let event = event_at(&kept.space, &name, "{}", after(second)).to(one, after(second)).to(two, after(second));
        all.push([event.deliveries[0].id, event.deliveries[1].id]);
        kept.store.accept(vec![event]).await.unwrap();
    }
    let leased = kept.lease_up_to(4, after(1), after(60)).await;
    let records = leased.iter().map(|of| match of.subscription_id == subscriptions[0] {
        true => delivered(of),
        false => record(of, Some(Outcome::Rejected(answered(400))), DeliveryState::Failed),
    });
    kept.store.record(records.collect()).await.unwrap();
    Listed { kept, subscriptions, all }
}

impl Listed {
    async fn list(&self, filter: DeliveryFilter) -> Vec<DeliveryId> {
        head_ids(&self.kept.store.deliveries(&self.kept.space, filter, 100).await.unwrap().entries)
    }

    /// The deliveries for which `wanted` holds, newest first, given the event's and the subscription's number.
    fn those(&self, wanted: impl Fn(usize, usize) -> bool) -> Vec<DeliveryId> {
        let all = self.all.iter().enumerate().flat_map(|(event, pair)| [(event, 0, pair[0]), (event, 1, pair[1])]);
        let mut those: Vec<_> = all.filter(|&(event, to, _)| wanted(event, to)).map(|(_, _, id)| id).collect();
        those.reverse();
        those
    }
}

fn head_ids(deliveries: &[DeliveryHead]) -> Vec<DeliveryId> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}

#[tokio::test]
async fn deliveries_are_listed_newest_first_page_by_page() {
    let listed = listed().await;
    let mut pages = Vec::new();
    loop {
        let filter = DeliveryFilter { before: pages.last().copied(), ..DeliveryFilter::default() };
        let page = listed.kept.store.deliveries(&listed.kept.space, filter, 5).await.unwrap().entries;
        if page.is_empty() {
            break;
        }
        pages.extend(head_ids(&page));
    }
    assert_eq!(pages, listed.those(|_, _| true));
}

#[tokio::test]
async fn each_filter_takes_what_it_says() {
    let listed = listed().await;
    let [one, _] = listed.subscriptions;
    let none = DeliveryFilter::default;
    let state = |state| DeliveryFilter { state: Some(state), ..none() };

    assert_eq!(listed.list(state(DeliveryState::Pending)).await, listed.those(|event, _| event > 1));
    assert_eq!(listed.list(state(DeliveryState::Delivered)).await, listed.those(|event, to| event < 2 && to == 0));
    assert_eq!(listed.list(state(DeliveryState::Failed)).await, listed.those(|event, to| event < 2 && to == 1));
    assert_eq!(listed.list(state(DeliveryState::Held)).await, []);
    let subscription = DeliveryFilter { subscription: Some(one), ..none() };
    assert_eq!(listed.list(subscription).await, listed.those(|_, to| to == 0));
    let event = DeliveryFilter { event: Some(EventId::parse("e3").unwrap()), ..none() };
    assert_eq!(listed.list(event).await, listed.those(|event, _| event == 3));
    let unknown = DeliveryFilter { event: Some(EventId::parse("e9").unwrap()), ..none() };
    assert_eq!(listed.list(unknown).await, []);
}

#[tokio::test]
async fn times_are_those_of_acceptance_since_inclusive_until_exclusive() {
    let listed = listed().await;
    let between = |since, until| DeliveryFilter { since: Some(since), until: Some(until), ..DeliveryFilter::default() };
    let microsecond = std::time::Duration::from_micros(1);

    assert_eq!(listed.list(between(after(2), after(4))).await, listed.those(|event, _| event == 2 || event == 3));
    let later = between(after(2) + microsecond, after(4) + microsecond);
    assert_eq!(listed.list(later).await, listed.those(|event, _| event == 3 || event == 4));
}

#[tokio::test]
async fn filters_narrow_each_other() {
    let listed = listed().await;
    let [one, two] = listed.subscriptions;
    for (subscription, to) in [(one, 0), (two, 1)] {
        for (state, first, last) in [
            (DeliveryState::Pending, 2, 9),
            (DeliveryState::Delivered, 0, if to == 0 { 1 } else { -1 }),
            (DeliveryState::Failed, 0, if to == 1 { 1 } else { -1 }),
        ] {
            let filter = DeliveryFilter {
                state: Some(state),
                subscription: Some(subscription),
                since: Some(after(1)),
                ..DeliveryFilter::default()
            };
            let number = |event: usize| i32::try_from(event).unwrap();
            let wanted = listed.those(|event, of| {
                of == to && (first..=last).contains(&number(event)) && after(event as u64) >= after(1)
            });
            assert_eq!(listed.list(filter.clone()).await, wanted);
            let of_event = DeliveryFilter { event: Some(EventId::parse("e2").unwrap()), ..filter };
            let wanted = listed.those(|event, of| event == 2 && of == to && state == DeliveryState::Pending);
            assert_eq!(listed.list(of_event).await, wanted);
        }
    }
}

#[tokio::test]
async fn a_space_sees_nothing_of_another() {
    let listed = listed().await;
    let elsewhere = SpaceId::parse("other").unwrap();
    listed.kept.store.create_space(space_called(&elsewhere)).await.unwrap();
    let event = Some(EventId::parse("e1").unwrap());
    for filter in [
        DeliveryFilter::default(),
        DeliveryFilter { subscription: Some(listed.subscriptions[0]), ..DeliveryFilter::default() },
        DeliveryFilter { state: Some(DeliveryState::Pending), ..DeliveryFilter::default() },
        DeliveryFilter { event, ..DeliveryFilter::default() },
    ] {
        assert!(listed.kept.store.deliveries(&elsewhere, filter, 10).await.unwrap().entries.is_empty());
    }
    assert!(listed.kept.store.events(&elsewhere, None, 10).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn the_backlog_counts_what_goes_on() {
    let listed = listed().await;
    let backlog = listed.kept.store.backlog();
    assert_eq!(backlog, [(DeliveryState::Pending, 8), (DeliveryState::Held, 0)]);
    assert_eq!(listed.kept.next_due().await, Some(now() + std::time::Duration::from_secs(2)));
}
