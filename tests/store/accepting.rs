use hookmill_model::{EventId, SpaceId};
use hookmill_store::{Accepted, Identity, Store};

use super::{Kept, To as _, event, event_at, is_database, now, space_called};

fn repeat(deliveries: u64) -> Accepted {
    Accepted::Repeat { occurred_at: now() - std::time::Duration::from_secs(5), accepted_at: now(), deliveries }
}

#[tokio::test]
async fn the_same_event_again_is_a_repeat_and_another_of_its_id_a_conflict() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let first = event(&kept.space, "e1", "{}").to(subscription, now()).to(subscription, now());
    let mut again = event_at(&kept.space, "e1", "{}", super::after(9)).to(subscription, now());
    let mut other = again.clone();
    other.identity = Identity::Producer { content_sha256: [2; 32] };

    assert_eq!(kept.store.accept(vec![first]).await.unwrap(), [Accepted::New { filled: None }]);
    again.deliveries.clear();
    let answers = kept.store.accept(vec![again, other]).await.unwrap();

    assert_eq!(answers, [repeat(2), Accepted::Conflict]);
    assert_eq!(kept.store.event(&kept.space, &EventId::parse("e1").unwrap()).await.unwrap().unwrap().1, 2);
}

#[tokio::test]
async fn a_batch_may_hold_an_event_twice() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let twice = || event(&kept.space, "e1", "{}").to(subscription, now());
    let other = event(&kept.space, "e2", "{}").to(subscription, now());
    let mut conflicting = twice();
    conflicting.identity = Identity::Producer { content_sha256: [2; 32] };

    let answers = kept.store.accept(vec![twice(), twice(), other, conflicting]).await.unwrap();

    assert_eq!(
        answers,
        [Accepted::New { filled: None }, repeat(1), Accepted::New { filled: None }, Accepted::Conflict]
    );
    assert_eq!(kept.lease(now()).await.len(), 2);
}

#[tokio::test]
async fn an_events_id_is_unique_in_its_space_only() {
    let kept = Kept::new().await;
    let elsewhere = SpaceId::parse("other").unwrap();
    kept.store.create_space(space_called(&elsewhere)).await.unwrap();

    let answers = kept.store.accept(vec![event(&kept.space, "e1", "{}"), event(&elsewhere, "e1", "[]")]).await.unwrap();

    assert_eq!(answers, [Accepted::New { filled: None }, Accepted::New { filled: None }]);
    let (found, _) = kept.store.event(&elsewhere, &EventId::parse("e1").unwrap()).await.unwrap().unwrap();
    assert_eq!(found.data.get(), "[]");
}

#[tokio::test]
async fn data_comes_back_byte_for_byte() {
    let kept = Kept::new().await;
    let data =
        "{ \"price\":12.50,\"big\":1e400, \"id\":12345678901234567890,\n\"a\":1,\"a\":2,\"é\":\"\\u00e9 \u{1F4E6}\"\t}";
    let subscription = kept.subscription().await.id;
    kept.store.accept(vec![event(&kept.space, "e1", data).to(subscription, now())]).await.unwrap();

    let leased = kept.lease(now()).await;

    let event = &leased[0].event;
    assert_eq!(event.data.get(), data);
    assert_eq!((event.occurred_at, event.accepted_at), (now() - std::time::Duration::from_secs(5), now()));
    assert_eq!((event.space.as_str(), event.id.as_str(), event.kind.as_str()), ("acme", "e1", "lead.create"));
}

#[tokio::test]
async fn a_batch_of_which_one_event_fails_leaves_nothing() {
    let kept = Kept::new().await;
    let nowhere = SpaceId::parse("nowhere").unwrap();

    let answer = kept.store.accept(vec![event(&kept.space, "e1", "{}"), event(&nowhere, "e2", "{}")]).await;

    assert!(is_database(&answer));
    assert!(kept.store.events(&kept.space, None, 10).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn events_are_listed_newest_first_page_by_page() {
    let kept = Kept::new().await;
    // Producers' ids say nothing about order.
    let names = ["m", "z", "a", "k", "b"];
    for name in names {
        kept.store.accept(vec![event(&kept.space, name, "{}")]).await.unwrap();
    }
    let mut listed = Vec::new();
    loop {
        let page = kept.store.events(&kept.space, listed.last().cloned(), 2).await.unwrap().entries;
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|event| event.id));
    }
    let listed: Vec<_> = listed.iter().map(EventId::as_str).collect();
    assert_eq!(listed, ["b", "k", "a", "z", "m"]);
}
