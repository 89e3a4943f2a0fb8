use std::collections::HashSet;
use std::sync::Arc;

use hookmill_model::DeliveryState;
use hookmill_store::{Recorded, Store};

use super::{Kept, To as _, after, delivered, event, ids, now};

#[tokio::test]
async fn ten_thousand_deliveries_are_leased_longest_due_first() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let events: Vec<_> = (0..10_000_u64)
        .map(|i| event(&kept.space, &format!("e{i}"), "{}").to(subscription, after(i * 7_919 % 10_000)))
        .collect();
    kept.store.accept(events).await.unwrap();

    let mut due = Vec::new();
    loop {
        let page = kept.lease_up_to(256, after(20_000), after(30_000)).await;
        if page.is_empty() {
            break;
        }
        due.extend(page.iter().map(|delivery| delivery.due_at));
    }

    assert_eq!(due.len(), 10_000);
    assert!(due.is_sorted());
}

#[tokio::test]
async fn a_delivery_is_leased_at_its_due_time_and_not_before() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    kept.delivery(subscription, after(30)).await;

    assert_eq!(kept.next_due().await, Some(after(30)));
    assert!(kept.lease(after(29)).await.is_empty());
    let leased = kept.lease(after(30)).await;
    assert_eq!(leased[0].leased_until, Some(after(90)));
    assert!(kept.lease(after(89)).await.is_empty());
}

#[tokio::test]
async fn a_lease_expires_and_a_late_record_is_stale() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let id = kept.delivery(subscription, now()).await;
    let first = kept.lease(now()).await;
    assert_eq!(kept.next_due().await, Some(after(60)));

    let second = kept.lease(after(60)).await;
    assert_eq!(ids(&second), [id]);
    let answers = kept.store.record(vec![delivered(&first[0]), delivered(&second[0])].into()).await.unwrap();

    assert_eq!(answers, [Recorded::Stale, Recorded::Written { paused: false }]);
    assert_eq!(kept.read(id).await.1.len(), 1);
}

#[tokio::test]
async fn a_record_under_an_expired_lease_is_written_if_no_other_worker_took_over() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let id = kept.delivery(subscription, now()).await;
    let leased = kept.lease(now()).await;

    let mut late = delivered(&leased[0]);
    late.at = after(1_000);

    assert_eq!(kept.store.record(vec![late].into()).await.unwrap(), [Recorded::Written { paused: false }]);
    assert_eq!(kept.state(id).await, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_delivery_accepted_with_a_lease_is_left_to_its_holder() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let mut event = kept.event("{}").to(subscription, now());
    event.deliveries[0].leased_until = Some(after(60));
    kept.store.accept(vec![event]).await.unwrap();

    assert!(kept.lease(after(59)).await.is_empty());
    assert_eq!(kept.lease(after(60)).await.len(), 1);
}

#[tokio::test]
async fn each_subscription_with_pending_deliveries_is_told_with_its_next_time_and_leased_apart() {
    let kept = Kept::new().await;
    let (busy, idle) = (kept.subscription().await.id, kept.subscription().await.id);
    for second in 0..50 {
        kept.delivery(busy, after(second)).await;
    }
    let wanted = kept.delivery(idle, after(5)).await;

    let mut expected = vec![(busy, now()), (idle, after(5))];
    expected.sort();
    assert_eq!(kept.store.pending().await.unwrap(), expected);
    let leased = kept.store.lease_due(after(10), after(70), vec![(busy, 2), (idle, 10)], usize::MAX).await.unwrap();
    assert_eq!(leased.len(), 3);
    assert_eq!(leased[2].id, wanted);
    assert_eq!(kept.next_due().await, Some(after(2)));
}

#[tokio::test]
async fn what_is_leased_at_once_is_bounded_in_bytes_but_is_never_nothing() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let data = format!("\"{}\"", "a".repeat(998));
    for _ in 0..5 {
        kept.store.accept(vec![kept.event(&data).to(subscription, now())]).await.unwrap();
    }
    let lease = async |bytes_max| {
        kept.store.lease_due(now(), after(60), vec![(subscription, 10)], bytes_max).await.unwrap().len()
    };
    assert_eq!([lease(1).await, lease(2_000).await, lease(usize::MAX).await], [1, 2, 2]);
}

#[tokio::test]
async fn a_lease_handed_back_is_free_at_once_and_only_its_own() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let id = kept.delivery(subscription, now()).await;
    let first = kept.lease(now()).await[0].leased_until.unwrap();
    let second = kept.lease(after(60)).await[0].leased_until.unwrap();

    kept.store.hand_back(vec![(id, first)]).await.unwrap();
    assert!(kept.lease(after(61)).await.is_empty());
    kept.store.hand_back(vec![(id, second)]).await.unwrap();
    assert_eq!(kept.next_due().await, Some(now()));
    assert_eq!(kept.lease(after(61)).await.len(), 1);
}

#[tokio::test]
async fn all_leases_end_at_once() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    for _ in 0..3 {
        kept.delivery(subscription, now()).await;
    }
    kept.delivery(subscription, after(1_000)).await;
    assert_eq!(kept.lease(now()).await.len(), 3);

    assert_eq!(kept.store.end_all_leases().await.unwrap(), 3);
    assert_eq!(kept.lease(now()).await.len(), 3);
}

#[tokio::test]
async fn deliveries_of_one_event_share_it() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    kept.store.accept(vec![kept.event("{}").to(subscription, now()).to(subscription, now())]).await.unwrap();

    let leased = kept.lease(now()).await;

    assert!(Arc::ptr_eq(&leased[0].event, &leased[1].event));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_leases_never_hand_out_one_delivery_twice() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let events = (0..500).map(|i| event(&kept.space, &format!("e{i}"), "{}").to(subscription, now())).collect();
    kept.store.accept(events).await.unwrap();

    let claimants: Vec<_> = (0..16)
        .map(|_| {
            let store = Arc::clone(&kept.store);
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let wanted = vec![(subscription, 7)];
                    let leased = store.lease_due(now(), after(60), wanted, usize::MAX).await.unwrap();
                    if leased.is_empty() {
                        return mine;
                    }
                    mine.extend(ids(&leased));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for claimant in claimants {
        all.extend(claimant.await.unwrap());
    }

    assert_eq!(all.len(), 500);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 500);
}
