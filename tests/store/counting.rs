//! Counts per minute and hour.

use hookmill_model::{DeliveryState, Outcome, SpaceId, SubscriptionId};
use hookmill_store::{Command, Counts, Record, Step, Store};
use jiff::Timestamp;

use super::{Kept, To as _, after, answered, event_at, record, space_called};

/// Makes a delivery due at a second after the tests' present, and records this for it then.
async fn ended(kept: &Kept, to: SubscriptionId, second: u64, outcome: Outcome, state: DeliveryState) {
    let at = after(second);
    let event = event_at(&kept.space, &format!("{to}-{second}"), "{}", at).to(to, at);
    kept.store.accept(vec![event]).await.unwrap();
    let leased = kept.lease(at).await;
    let record = Record { at, due_at: after(1_000_000), ..record(&leased[0], Some(outcome), state) };
    kept.store.record([record].into()).await.unwrap();
}

async fn counts(
    kept: &Kept,
    of: Option<SubscriptionId>,
    since: Timestamp,
    until: Timestamp,
    step: Step,
) -> Vec<Counts> {
    kept.store.counts(&kept.space, of, since, until, step).await.unwrap()
}

/// The counts of the step that begins at this time: delivered, failed, skipped, cancelled, retried.
fn step(at: &str, [delivered, failed, skipped, cancelled, retried]: [u64; 5]) -> Counts {
    Counts { at: at.parse().unwrap(), delivered, failed, skipped, cancelled, retried }
}

#[tokio::test]
async fn what_happens_is_counted_in_its_minute_and_hour_for_the_space_and_the_subscription() {
    let kept = Kept::new().await;
    let (one, two) = (kept.subscription().await.id, kept.subscription().await.id);
    let ok = || Outcome::Succeeded(answered(204));
    ended(&kept, one, 0, ok(), DeliveryState::Delivered).await;
    ended(&kept, two, 1, ok(), DeliveryState::Delivered).await;
    ended(&kept, one, 61, Outcome::Rejected(answered(500)), DeliveryState::Failed).await;
    ended(&kept, one, 62, Outcome::Rejected(answered(500)), DeliveryState::Pending).await;
    ended(&kept, two, 3_700, Outcome::Skipped("no".to_owned()), DeliveryState::Skipped).await;
    let waiting = kept.delivery(one, after(9_000)).await;
    kept.store.command(&kept.space, waiting, Command::Cancel, after(3_701)).await.unwrap();

    let all = [
        step("2026-11-21T12:00:00Z", [2, 0, 0, 0, 0]),
        step("2026-11-21T12:01:00Z", [0, 1, 0, 0, 1]),
        step("2026-11-21T13:01:00Z", [0, 0, 1, 1, 0]),
    ];
    assert_eq!(counts(&kept, None, after(0), after(4_000), Step::Minute).await, all);
    // A step that has begun is whole, at both ends.
    assert_eq!(counts(&kept, None, after(30), after(61), Step::Minute).await, all[..2]);
    assert_eq!(counts(&kept, None, after(30), "2026-11-21T12:01:00Z".parse().unwrap(), Step::Minute).await, all[..1]);
    let hours = [step("2026-11-21T12:00:00Z", [2, 1, 0, 0, 1]), step("2026-11-21T13:00:00Z", [0, 0, 1, 1, 0])];
    assert_eq!(counts(&kept, None, after(3_000), after(3_601), Step::Hour).await, hours);
    let of_two = [step("2026-11-21T12:00:00Z", [1, 0, 0, 0, 0]), step("2026-11-21T13:00:00Z", [0, 0, 1, 0, 0])];
    assert_eq!(counts(&kept, Some(two), after(0), after(4_000), Step::Hour).await, of_two);
}

#[tokio::test]
async fn a_space_does_not_see_the_counts_of_another() {
    let kept = Kept::new().await;
    let one = kept.subscription().await.id;
    ended(&kept, one, 0, Outcome::Succeeded(answered(204)), DeliveryState::Delivered).await;
    let elsewhere = SpaceId::parse("other").unwrap();
    kept.store.create_space(space_called(&elsewhere)).await.unwrap();
    for of in [None, Some(one)] {
        assert_eq!(kept.store.counts(&elsewhere, of, after(0), after(60), Step::Minute).await.unwrap(), []);
    }
}
