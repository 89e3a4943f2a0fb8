//! Who waits for whom: callers of one space, callers of another, and the deliver loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hookmill_model::{
    DeliveryId, DeliveryState, EventType, Outcome, Pattern, SpaceId, SubscriptionId, SubscriptionState,
};
use hookmill_store::{Command, DeliveryFilter, Sqlite, Store};
use tokio::task::JoinSet;

use super::{Kept, To as _, after, answered, delivered, event_at, now, record, space_called, subscription};

/// More deliveries than one part of a listing examines, twice over.
const MANY: usize = 25_000;

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

#[tokio::test]
async fn a_filter_that_few_deliveries_pass_ends_the_part_early_and_its_cursor_goes_on() {
    let kept = Kept::new().await;
    let to = fill(&kept.store, &kept.space).await;
    let of_subscription = DeliveryFilter { subscription: Some(to), ..rare() };
    let of_state = DeliveryFilter { state: Some(DeliveryState::Pending), ..rare() };
    for filter in [rare(), of_subscription, of_state] {
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
            assert_eq!(found, 0, "the newest are of another type");
        }
        // More only on a machine that takes a second for ten thousand rows.
        assert!(parts >= 3, "{parts} parts");
        assert_eq!(found, 1);
    }
    let elsewhere = SpaceId::parse("elsewhere").unwrap();
    let filter = DeliveryFilter { subscription: Some(to), ..rare() };
    let part = kept.store.deliveries(&elsewhere, filter, 50).await.unwrap();
    assert_eq!(part.next, None, "the cursor would be another space's delivery");
}

/// Starts 64 slow listings in each of `spaces`; returns how many have ended so far.
fn flood(tasks: &mut JoinSet<()>, store: &Arc<Sqlite>, spaces: &[SpaceId]) -> Arc<AtomicUsize> {
    let ended = Arc::new(AtomicUsize::new(0));
    for space in spaces {
        for _ in 0..64 {
            let (store, space, ended) = (Arc::clone(store), space.clone(), Arc::clone(&ended));
            tasks.spawn(async move {
                store.deliveries(&space, rare(), 50).await.unwrap();
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
    let ended = flood(&mut tasks, &kept.store, &[kept.space.clone()]);
    tokio::task::yield_now().await;
    assert!(kept.store.deliveries(&quiet, rare(), 50).await.unwrap().entries.is_empty());
    let before = ended.load(Ordering::SeqCst);
    assert!(before <= 16, "it waited for {before} of the flood's 64 listings");
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
    assert!(before <= 24, "it waited for {before} of the flood's 192 listings");
    tasks.join_all().await;
}

/// The backlog as the rows have it.
fn counted(kept: &Kept) -> [(DeliveryState, u64); 2] {
    let rows = kept.beside();
    [DeliveryState::Pending, DeliveryState::Held].map(|state| {
        let sql = "SELECT count(*) FROM deliveries WHERE state = ?1";
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
    let held = kept
        .beside()
        .query_row("SELECT id FROM deliveries WHERE state = 'held' LIMIT 1", [], |row| row.get::<_, String>(0));
    kept.store.command(&kept.space, held.unwrap().parse().unwrap(), Command::Cancel, now()).await.unwrap();
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
