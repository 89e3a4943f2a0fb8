//! Tests of the bounds on what is followed.

use std::time::Duration;

use hookmill_model::{Figures, Outcome, Pattern, SendFault, SendFaultCode};

use super::*;

fn subscription(space: &str, now: Timestamp) -> Subscription {
    let url = "https://example.com".parse().expect("a URL");
    Subscription::new(SpaceId::parse(space).expect("an id"), "x", url, vec![Pattern::All], now)
}

fn attempt(now: Timestamp) -> Attempt {
    let fault = SendFault { code: SendFaultCode::Connect, message: String::new() };
    Attempt {
        delivery_id: hookmill_model::DeliveryId::new(now),
        number: 1,
        due_at: now,
        started_at: now,
        send_us: 1,
        request: None,
        outcome: Outcome::Unreachable(fault),
        plugin_digest: None,
        plugin_fault: None,
        figures: Figures::default(),
        logs: Vec::new(),
    }
}

#[test]
fn a_space_with_more_subscriptions_than_are_followed_drops_those_that_did_not_fail() {
    let (recent, start) = (Recent::default(), Timestamp::UNIX_EPOCH + Duration::from_secs(86_400));
    let attempted = |state, now| {
        let subscription = subscription("busy", now);
        recent.attempted(&subscription, &attempt(now), state, now);
        subscription.id
    };
    let failing = attempted(DeliveryState::Failed, start);
    (1..SUBSCRIPTIONS_MAX + 10).for_each(|_| _ = attempted(DeliveryState::Delivered, start));
    let others = attempted(DeliveryState::Failed, start);
    let space = SpaceId::parse("busy").expect("an id");
    let seen = |now| recent.figures(&space, now).failing.iter().map(|of| of.id).collect::<Vec<_>>();
    // The first newcomer made room for those behind it.
    assert_eq!(seen(start).len(), 2);
    assert!(seen(start).contains(&failing) && seen(start).contains(&others));
    assert!(recent.followed.load(Ordering::Relaxed) < SUBSCRIPTIONS_MAX);
}

#[test]
fn idle_spaces_make_room_for_others() {
    let (recent, start) = (Recent::default(), Timestamp::UNIX_EPOCH + Duration::from_secs(86_400));
    for number in 0..ALL_SUBSCRIPTIONS_MAX {
        let subscription = subscription(&format!("idle-{}", number / 1_000), start);
        recent.attempted(&subscription, &attempt(start), DeliveryState::Failed, start);
    }
    let late = subscription("late", start);
    recent.attempted(&late, &attempt(start), DeliveryState::Failed, start);
    assert_eq!(recent.figures(&late.space, start).failing, []);
    let now = start + Duration::from_secs(2 * 3_600);
    recent.attempted(&late, &attempt(now), DeliveryState::Failed, now);
    assert_eq!(recent.figures(&late.space, now).failing.len(), 1);
    assert_eq!((recent.followed.load(Ordering::Relaxed), recent.spaces.lock().expect("it is free").len()), (1, 1));
}
