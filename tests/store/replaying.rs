use hookmill_model::{DeliveryState, Pattern, Replay, ReplayState, ReplayWhat, SubscriptionId};
use hookmill_store::{DeliveryFilter, NewReplay, ReplayStep, ReplayStore, Store};
use jiff::Timestamp;

use super::{Kept, To as _, after, delivered, event_at, now};

fn new(kept: &Kept, subscription_id: SubscriptionId, what: ReplayWhat) -> NewReplay {
    NewReplay {
        space: kept.space.clone(),
        subscription_id,
        what,
        since: now(),
        until: after(100_000),
        event_types: None,
        condition: None,
        only_missing: false,
        deliveries_per_s: 1_000,
        created_at: after(100_000),
    }
}

/// A replay that has begun.
async fn begun(kept: &Kept, new: NewReplay) -> Replay {
    let replay = kept.store.create_replay(new, 4, 100).await.unwrap().unwrap();
    kept.store.begin_replay(&replay, after(100_000)).await.unwrap().unwrap()
}

/// Accepts so many events, a second apart, in an order other than that of their ids.
async fn accept(kept: &Kept, count: u64, to: Option<SubscriptionId>) {
    let event = |number: u64| {
        event_at(&kept.space, &format!("e{}", number * 7_919 % count), &number.to_string(), after(number))
    };
    let events = (0..count).map(event).map(|new| match to {
        Some(id) => new.to(id, now()),
        None => new,
    });
    kept.store.accept(events.collect()).await.unwrap();
}

/// What a step sends of the next slice, all of it up to `most`; none at the end.
async fn next(kept: &Kept, replay: &Replay, limit: usize, most: usize) -> ReplayStep {
    let slice = kept.store.replay_slice(replay, limit, after(100_000), 10).await.unwrap();
    let to = slice.entries.get(most).map_or(slice.next, |entry| entry.key);
    let sent: Vec<_> = slice.entries.iter().take(most).collect();
    ReplayStep {
        id: replay.id,
        from: replay.cursor,
        to,
        examined: sent.len() as u64,
        reached_at: sent.last().map(|entry| entry.event.accepted_at),
        send: sent.iter().zip(0..).map(|(entry, index)| (entry.key, after(200_000 + index))).collect(),
        next_at: after(100_001),
        now: after(100_000),
    }
}

async fn shown(kept: &Kept, replay: &Replay) -> Replay {
    kept.store.replay(&kept.space, replay.subscription_id, replay.id).await.unwrap().unwrap()
}

/// The data of what waits, longest due first.
async fn waiting(kept: &Kept) -> Vec<u64> {
    let mut data = Vec::new();
    loop {
        let leased = kept.lease_up_to(256, after(500_000), after(900_000)).await;
        if leased.is_empty() {
            return data;
        }
        data.extend(leased.iter().map(|delivery| delivery.event.data.get().parse::<u64>().unwrap()));
    }
}

async fn deliveries(kept: &Kept) -> usize {
    let filter = DeliveryFilter { ..DeliveryFilter::default() };
    kept.store.deliveries(&kept.space, filter, 10_000).await.unwrap().entries.len()
}

#[tokio::test]
async fn a_step_is_committed_once_and_survives_a_restart_with_its_cursor() {
    let mut kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    accept(&kept, 100, None).await;
    let mut replay = begun(&kept, new(&kept, subscription, ReplayWhat::Events)).await;
    while replay.state == ReplayState::Running {
        let step = next(&kept, &replay, 30, 20).await;
        assert_eq!(kept.store.step_replay(step.clone()).await.unwrap(), step.send.len() as u64);
        // As if the process had died before it heard of the commit, or two took the same step.
        assert_eq!(kept.store.step_replay(step).await.unwrap(), 0);
        kept = kept.reopened();
        replay = shown(&kept, &replay).await;
    }
    assert_eq!((replay.state, replay.deliveries, replay.examined), (ReplayState::Done, 100, 100));
    assert_eq!(replay.reached_at, Some(after(99)));
    assert_eq!(replay.progress(), 1.0);
    assert!(kept.store.running_replays(10).await.unwrap().is_empty());
    assert_eq!(kept.store.backlog()[0], (DeliveryState::Pending, 100));
    let mut sent = waiting(&kept).await;
    sent.sort_unstable();
    assert_eq!(sent, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_large_history_is_read_in_bounded_slices_in_order_of_acceptance() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    accept(&kept, 10_000, None).await;
    let mut replay = begun(&kept, new(&kept, subscription, ReplayWhat::Events)).await;
    let (mut seen, mut steps) = (Vec::new(), 0);
    while replay.state == ReplayState::Running {
        let slice = kept.store.replay_slice(&replay, 500, now(), 10).await.unwrap();
        assert!(slice.entries.len() <= 500);
        seen.extend(slice.entries.iter().map(|entry| entry.event.accepted_at));
        // Nothing is sent.
        let step = ReplayStep { send: Vec::new(), ..next(&kept, &replay, 500, 500).await };
        kept.store.step_replay(step).await.unwrap();
        replay = shown(&kept, &replay).await;
        steps += 1;
    }
    assert_eq!(seen, (0..10_000).map(after).collect::<Vec<Timestamp>>());
    assert!((20..=22).contains(&steps), "{steps}");
    assert_eq!((replay.examined, deliveries(&kept).await), (10_000, 0));
    // Large events end a slice early.
    let large = format!("\"{}\"", "x".repeat(300_000));
    let events = (0..20).map(|number| event_at(&kept.space, &format!("large{number}"), &large, after(20_000 + number)));
    kept.store.accept(events.collect()).await.unwrap();
    let replay = begun(&kept, NewReplay { since: after(20_000), ..new(&kept, subscription, ReplayWhat::Events) }).await;
    let slice = kept.store.replay_slice(&replay, 500, now(), 10).await.unwrap();
    assert_eq!(slice.entries.len(), 4);
    assert!(slice.next < replay.end_key.unwrap());
}

#[tokio::test]
async fn types_and_times_limit_what_is_read() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    accept(&kept, 200, None).await;
    let read = async |new: NewReplay| {
        let replay = begun(&kept, new).await;
        let slice = kept.store.replay_slice(&replay, 500, now(), 10).await.unwrap();
        kept.store.end_replay(replay.id, ReplayState::Cancelled, None, now()).await.unwrap();
        assert_eq!(shown(&kept, &replay).await.state, ReplayState::Cancelled);
        slice.entries.iter().map(|entry| entry.event.data.get().parse::<u64>().unwrap()).collect::<Vec<_>>()
    };
    let all = new(&kept, subscription, ReplayWhat::Events);
    assert_eq!(read(all.clone()).await.len(), 200);
    let timed = NewReplay { since: after(70), until: after(130), ..all.clone() };
    assert_eq!(read(timed.clone()).await, (70..130).collect::<Vec<_>>());
    for (types, found) in [(vec!["*"], 60), (vec!["deal.*", "lead.create"], 60), (vec!["lead"], 0), (vec!["deal.*"], 0)]
    {
        let types = types.into_iter().map(|text| Pattern::parse(text).unwrap()).collect();
        assert_eq!(read(NewReplay { event_types: Some(types), ..timed.clone() }).await.len(), found);
    }
    assert!(read(NewReplay { since: after(10_000), ..all }).await.is_empty());
}

#[tokio::test]
async fn what_was_deleted_between_reading_and_writing_is_left_out() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await;
    accept(&kept, 10, None).await;
    let replay = begun(&kept, new(&kept, subscription.id, ReplayWhat::Events)).await;
    let step = next(&kept, &replay, 100, 100).await;
    assert_eq!(kept.beside().execute("DELETE FROM events WHERE key = ?1", [step.send[3].0]).unwrap(), 1);
    assert_eq!(kept.store.step_replay(step).await.unwrap(), 9);
    assert_eq!((shown(&kept, &replay).await.deliveries, deliveries(&kept).await), (9, 9));

    let replay = begun(&kept, new(&kept, subscription.id, ReplayWhat::Events)).await;
    let step = next(&kept, &replay, 100, 100).await;
    let deleted = hookmill_model::Subscription { state: hookmill_model::SubscriptionState::Deleted, ..subscription };
    kept.store.put_subscription(&deleted, now()).await.unwrap();
    assert_eq!(kept.store.step_replay(step).await.unwrap(), 0);
    assert_eq!(shown(&kept, &replay).await.state, ReplayState::Failed);
    assert_eq!(kept.store.backlog().map(|(_, count)| count), [0, 0]);
}

#[tokio::test]
async fn a_failed_delivery_becomes_pending_again_with_its_attempts() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    accept(&kept, 10, Some(subscription)).await;
    let leased = kept.lease(now()).await;
    let mut records: Vec<_> = leased.iter().map(delivered).collect();
    for record in &mut records[..6] {
        record.state = DeliveryState::Failed;
    }
    // One that fails after the request is not a part of it.
    records[5].at = after(100_001);
    kept.store.record(records.into()).await.unwrap();
    let replay = begun(&kept, new(&kept, subscription, ReplayWhat::Failed)).await;
    let step = next(&kept, &replay, 3, 3).await;
    assert_eq!(kept.store.step_replay(step).await.unwrap(), 3);
    let step = next(&kept, &shown(&kept, &replay).await, 3, 3).await;
    assert_eq!(kept.store.step_replay(step.clone()).await.unwrap(), 2);
    assert_eq!(kept.store.step_replay(step).await.unwrap(), 0);
    let states: Vec<_> = futures::future::join_all(leased.iter().map(|delivery| kept.read(delivery.id))).await;
    for (number, (delivery, attempts)) in states.iter().enumerate() {
        let state = match number {
            0..5 => DeliveryState::Pending,
            5 => DeliveryState::Failed,
            _ => DeliveryState::Delivered,
        };
        assert_eq!((delivery.state, delivery.attempts, attempts.len()), (state, 1, 1), "{number}");
    }
    let waiting: Vec<_> = kept.lease(after(300_000)).await.iter().map(|delivery| delivery.id).collect();
    assert_eq!(waiting.len(), 5);
}

#[tokio::test]
async fn running_replays_are_bounded_and_old_ones_dropped() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let all = new(&kept, subscription, ReplayWhat::Events);
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(kept.store.create_replay(all.clone(), 3, 2).await.unwrap().unwrap());
    }
    assert!(kept.store.create_replay(all.clone(), 3, 2).await.unwrap().is_none());
    for replay in &made {
        kept.store.end_replay(replay.id, ReplayState::Done, None, now()).await.unwrap();
    }
    // What has ended stays so.
    kept.store.end_replay(made[0].id, ReplayState::Cancelled, None, now()).await.unwrap();
    assert_eq!(shown(&kept, &made[0]).await.state, ReplayState::Done);
    let last = kept.store.create_replay(all, 3, 2).await.unwrap().unwrap();
    let list = kept.store.replays(&kept.space, subscription, None, 10).await.unwrap();
    let ids: Vec<_> = list.entries.iter().map(|replay| replay.id).collect();
    assert_eq!(ids, [last.id, made[2].id, made[1].id]);
    assert_eq!(kept.store.running_replays(10).await.unwrap().len(), 1);
}
