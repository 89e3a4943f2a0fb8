//! Who waits for whom: callers of one space, callers of another, and the deliver loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hookmill_model::{
    DeliveryId, DeliveryState, EventType, Outcome, Pattern, SpaceId, SubscriptionId, SubscriptionState,
};
use hookmill_store::{Command, DeliveryFilter, EventFilter, EventTypeEntry, Sqlite, Store};
use tokio::task::JoinSet;

use super::{Kept, To as _, after, answered, delivered, event_at, now, record, space_called, subscription};

/// More deliveries than one part of a listing examines, twice over.
const MANY: usize = 12_500;

/// The type of the oldest event alone.
const RARE: &str = "deal.won";

/// Adds a subscription with `MANY` deliveries to a space, all of one type, but for the first.
async fn fill(store: &Sqlite, space: &SpaceId) -> SubscriptionId {
    let to = subscription(space);
    store.put_subscription(&to, now()).await.unwrap();
    let events = (0..MANY).map(|number| {
        let mut event = event_at(space, &format!("e{number}"), "{}", after(number as u64 / 1_000));
        if number == 0 {
            Arc::get_mut(&mut event.event).unwrap().kind = EventType::parse(RARE).unwrap();
        }
        event.to(to.id, after(1_000_000))
    });
    store.accept(events.collect()).await.unwrap();
    to.id
}

fn rare() -> DeliveryFilter {
    DeliveryFilter { event_type: Some(Pattern::parse(RARE).unwrap()), ..DeliveryFilter::default() }
}

/// A filter for which no index is: hardly anything is delivered, and each delivery has to be looked at.
fn slow() -> DeliveryFilter {
    DeliveryFilter { state: Some(DeliveryState::Delivered), ..DeliveryFilter::default() }
}

#[tokio::test]
async fn a_rare_type_is_found_at_once_in_a_space_and_a_subscription() {
    let kept = Kept::new().await;
    let to = fill(&kept.store, &kept.space).await;
    for filter in [rare(), DeliveryFilter { subscription: Some(to), ..rare() }] {
        let part = kept.store.deliveries(&kept.space, filter, 50).await.unwrap();
        assert_eq!((part.entries.len(), part.next), (1, None));
    }
}

#[tokio::test]
async fn a_filter_that_few_deliveries_pass_ends_the_part_early_and_its_cursor_goes_on() {
    let kept = Kept::new().await;
    let to = fill(&kept.store, &kept.space).await;
    let oldest = kept.lease_up_to(1, after(1_000_000), after(2_000_000)).await;
    kept.store.record([delivered(&oldest[0])].into()).await.unwrap();
    for filter in [slow(), DeliveryFilter { subscription: Some(to), ..slow() }] {
        let (mut found, mut parts, mut before) = (0, 0, None);
        loop {
            let filter = DeliveryFilter { before, ..filter.clone() };
            let part = kept.store.deliveries(&kept.space, filter, 50).await.unwrap();
            parts += 1;
            found += part.entries.len();
            before = part.next;
            if before.is_none() {
                break;
            }
            assert_eq!(found, 0, "the newest are not delivered");
        }
        // More only on a machine that takes a second for five thousand rows.
        assert!(parts >= 3, "{parts} parts");
        assert_eq!(found, 1);
    }
    let elsewhere = SpaceId::parse("elsewhere").unwrap();
    let filter = DeliveryFilter { subscription: Some(to), ..rare() };
    let part = kept.store.deliveries(&elsewhere, filter, 50).await.unwrap();
    assert_eq!(part.next, None, "the cursor would be another space's delivery");
}

/// Starts 24 slow listings in each of `spaces`; returns how many have ended so far.
fn flood(tasks: &mut JoinSet<()>, store: &Arc<Sqlite>, spaces: &[SpaceId]) -> Arc<AtomicUsize> {
    let ended = Arc::new(AtomicUsize::new(0));
    for space in spaces {
        for _ in 0..24 {
            let (store, space, ended) = (Arc::clone(store), space.clone(), Arc::clone(&ended));
            tasks.spawn(async move {
                store.deliveries(&space, slow(), 50).await.unwrap();
                ended.fetch_add(1, Ordering::SeqCst);
            });
        }
    }
    ended
}

#[tokio::test]
async fn a_space_that_floods_the_readers_leaves_half_of_them_to_others() {
    let kept = Kept::new().await;
    fill(&kept.store, &kept.space).await;
    let quiet = SpaceId::parse("quiet").unwrap();
    assert!(kept.store.create_space(space_called(&quiet)).await.unwrap());
    let mut tasks = JoinSet::new();
    let ended = flood(&mut tasks, &kept.store, std::slice::from_ref(&kept.space));
    tokio::task::yield_now().await;
    assert!(kept.store.deliveries(&quiet, slow(), 50).await.unwrap().entries.is_empty());
    let before = ended.load(Ordering::SeqCst);
    assert!(before <= 8, "it waited for {before} of the flood's 24 listings");
    tasks.join_all().await;
}

#[tokio::test]
async fn the_deliver_loop_does_not_wait_for_callers_who_hold_all_readers() {
    let kept = Kept::new().await;
    let mut spaces = vec![kept.space.clone()];
    for number in 0..2 {
        let space = SpaceId::parse(&format!("flood-{number}")).unwrap();
        assert!(kept.store.create_space(space_called(&space)).await.unwrap());
        spaces.push(space);
    }
    for space in &spaces {
        fill(&kept.store, space).await;
    }
    let mut tasks = JoinSet::new();
    let ended = flood(&mut tasks, &kept.store, &spaces);
    tokio::task::yield_now().await;
    let pending = kept.store.pending().await.unwrap();
    assert!(pending.iter().all(|(_, due)| *due == after(1_000_000)), "{pending:?}");
    let wanted = pending.into_iter().map(|(subscription, _)| (subscription, 10)).collect();
    assert!(kept.store.lease_due(now(), after(60), wanted, usize::MAX).await.unwrap().is_empty());
    let before = ended.load(Ordering::SeqCst);
    assert!(before <= 12, "it waited for {before} of the flood's 72 listings");
    tasks.join_all().await;
}

/// The backlog as the rows have it.
fn counted(kept: &Kept) -> [(DeliveryState, u64); 2] {
    let rows = kept.beside();
    [DeliveryState::Pending, DeliveryState::Held].map(|state| {
        let sql = "SELECT count(*) FROM waiting WHERE state = ?1";
        (state, rows.query_row(sql, [state.as_str()], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs())
    })
}

#[tokio::test]
async fn the_backlog_is_what_the_rows_say_after_every_change_and_after_a_restart() {
    let kept = Kept::new().await;
    let mut one = kept.subscription().await;
    let other = kept.subscription().await;
    let mut all: Vec<DeliveryId> = Vec::new();
    for _ in 0..4 {
        all.push(kept.delivery(one.id, now()).await);
        all.push(kept.delivery(other.id, now()).await);
    }
    assert_eq!((kept.store.backlog(), counted(&kept)[0].1), (counted(&kept), 8));

    one.state = SubscriptionState::Paused;
    kept.store.put_subscription(&one, now()).await.unwrap();
    let leased = kept.lease(now()).await;
    let records = leased.iter().enumerate().map(|(number, of)| match (of.subscription_id == one.id, number) {
        (true, _) => record(of, None, DeliveryState::Held),
        (false, 0 | 1) => delivered(of),
        (false, 2 | 3) => record(of, Some(Outcome::Rejected(answered(500))), DeliveryState::Pending),
        (false, _) => record(of, Some(Outcome::Rejected(answered(400))), DeliveryState::Failed),
    });
    kept.store.record(records.collect()).await.unwrap();
    assert_eq!((kept.store.backlog(), counted(&kept)[1].1), (counted(&kept), 4));

    for id in all {
        kept.store.command(&kept.space, id, Command::Resend { verbatim: false }, now()).await.unwrap();
        assert_eq!(kept.store.backlog(), counted(&kept));
    }
    let held = DeliveryFilter { state: Some(DeliveryState::Held), ..DeliveryFilter::default() };
    let held = kept.store.deliveries(&kept.space, held, 1).await.unwrap().entries[0].id;
    kept.store.command(&kept.space, held, Command::Cancel, now()).await.unwrap();
    assert_eq!((kept.store.backlog(), counted(&kept)[1].1), (counted(&kept), 3));

    let kept = kept.reopened();
    assert_eq!((kept.store.backlog(), counted(&kept)[1].1), (counted(&kept), 3));
    one.state = SubscriptionState::Active;
    kept.store.put_subscription(&one, now()).await.unwrap();
    assert_eq!((kept.store.backlog(), counted(&kept)[1].1), (counted(&kept), 0));
    for mut subscription in [one, other] {
        subscription.state = SubscriptionState::Deleted;
        kept.store.put_subscription(&subscription, now()).await.unwrap();
        assert_eq!(kept.store.backlog(), counted(&kept));
    }
    assert_eq!(kept.store.backlog(), [(DeliveryState::Pending, 0), (DeliveryState::Held, 0)]);
    // What fails is not counted.
    let nowhere = SpaceId::parse("nowhere").unwrap();
    let event = super::event(&nowhere, "e", "{}").to(SubscriptionId::new(now()), now());
    assert!(kept.store.accept(vec![event]).await.is_err());
    assert_eq!(kept.store.backlog(), counted(&kept));
}

#[tokio::test]
async fn a_listing_of_events_or_deliveries_reads_no_data() {
    let kept = Kept::new().await;
    let to = kept.subscription().await.id;
    let delivery = kept.delivery(to, now()).await;
    // Whoever reads it fails.
    kept.beside().execute("UPDATE events SET data = '{'", []).unwrap();
    assert!(kept.store.events(&kept.space, None, 10).await.is_err());
    assert_eq!(kept.store.event_heads(&kept.space, EventFilter::default(), 10).await.unwrap().entries.len(), 1);
    let listed = kept.store.deliveries(&kept.space, DeliveryFilter::default(), 10).await.unwrap().entries;
    assert_eq!(listed.iter().map(|head| head.id).collect::<Vec<_>>(), [delivery]);
    assert_eq!(kept.store.delivery_head(&kept.space, delivery).await.unwrap().as_ref(), listed.first());
}

#[tokio::test]
async fn a_part_of_large_rows_ends_early_and_its_cursor_goes_on() {
    let kept = Kept::new().await;
    let large = "x".repeat(300_000);
    for number in 0..10 {
        let entry = EventTypeEntry {
            name: EventType::parse(&format!("type.{number}")).unwrap(),
            description: String::new(),
            schema: None,
            example: Some(large.clone().into()),
            created_at: now(),
        };
        kept.store.put_event_type(&kept.space, entry).await.unwrap();
        let mut subscription = subscription(&kept.space);
        subscription.description.clone_from(&large);
        kept.store.put_subscription(&subscription, now()).await.unwrap();
        let event = super::event(&kept.space, &format!("e{number}"), &format!("{large:?}"));
        kept.store.accept(vec![event]).await.unwrap();
    }
    let (mut types, mut subscriptions, mut events) = (vec![], vec![], vec![]);
    let (mut after_type, mut after_subscription, mut before_event) = (None, None, None);
    for _ in 0..4 {
        let part = kept.store.event_types(&kept.space, after_type, 200).await.unwrap();
        (types, after_type) = ([types, part.entries].concat(), part.next);
        let part = kept.store.subscriptions(Some(&kept.space), after_subscription, 200).await.unwrap();
        (subscriptions, after_subscription) = ([subscriptions, part.entries].concat(), part.next);
        let part = kept.store.events(&kept.space, before_event, 200).await.unwrap();
        (events, before_event) = ([events, part.entries].concat(), part.next);
        assert_eq!((types.len(), subscriptions.len()), (events.len(), events.len()));
        if events.len() < 10 {
            assert_eq!(events.len() % 3, 0, "three have less than 1 MiB");
            assert!(after_type.is_some() && after_subscription.is_some() && before_event.is_some());
        }
    }
    assert_eq!(types.len(), 10);
    assert!(after_type.is_none() && after_subscription.is_none() && before_event.is_none());
}
