//! Forgetting: what is too old goes, in steps, and what waits or is held stays.

use std::time::Duration;

use hookmill_model::{DeliveryState, EventId, Outcome};
use hookmill_store::{Expired, ForgetStore, Forgotten, Identity, Place, Store};
use jiff::Timestamp;

use super::{Kept, To, after, delivered, event, event_at, now, record};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The bytes that the rows of a space have, counted anew.
fn counted(kept: &Kept) -> u64 {
    let sql = "SELECT (SELECT coalesce(sum(octet_length(data) + coalesce(octet_length(previous), 0)), 0) FROM events)
        + (SELECT coalesce(sum(coalesce(octet_length(request_headers), 0) + coalesce(octet_length(request_body), 0)
            + coalesce(octet_length(answer_headers), 0) + coalesce(octet_length(answer_body), 0)
            + coalesce(octet_length(logs), 0)), 0) FROM attempts)";
    kept.beside().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
}

/// Checks that the file is sound, and that what is stored was counted rightly.
pub fn whole(kept: &Kept) {
    let check: String = kept.beside().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    assert_eq!(kept.store.stored_bytes(&kept.space), counted(kept));
    let rows: i64 = kept.beside().query_row("SELECT bytes FROM stored", [], |row| row.get(0)).unwrap();
    assert_eq!(rows.unsigned_abs(), counted(kept));
}

/// Forgets what is older than so many days at this time, step by step.
async fn forget(kept: &Kept, at: Timestamp, days: u32) -> Forgotten {
    let before = at - days * DAY;
    let (mut all, mut place) = (Forgotten::default(), Some(Place::default()));
    while let Some(from) = place {
        let expired = Expired { accepted_before: Some(before), ended_before: before, bytes: None };
        let step = kept.store.forget_events(&kept.space, expired, from, 7).await.unwrap();
        all.events += step.events;
        all.deliveries += step.deliveries;
        place = step.next;
    }
    all
}

#[tokio::test]
async fn an_event_goes_after_its_deliveries_and_what_waits_or_is_held_stays() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let post = |id: &str| event(&kept.space, id, "{}").to(subscription, now());
    let (done, waits, held) = (post("done"), post("waits"), post("held"));
    let alone = event(&kept.space, "alone", "{}");
    let new = event_at(&kept.space, "new", "{}", now() + 29 * DAY).to(subscription, now());
    let ids = [&done, &waits, &held].map(|new| new.deliveries[0].id);
    kept.store.accept(vec![done, waits, held, alone, new]).await.unwrap();
    let leased = kept.lease(now()).await;
    let of = |id| leased.iter().find(|delivery| delivery.id == id).unwrap();
    let (mut paused, _) = kept.store.subscription(&kept.space, subscription).await.unwrap().unwrap();
    paused.state = hookmill_model::SubscriptionState::Paused;
    kept.store.put_subscription(&paused, now()).await.unwrap();
    kept.store
        .record(
            vec![
                delivered(of(ids[0])),
                record(of(ids[1]), Some(Outcome::Rejected(super::answered(500))), DeliveryState::Pending),
                record(of(ids[2]), None, DeliveryState::Held),
            ]
            .into(),
        )
        .await
        .unwrap();
    assert_eq!(forget(&kept, now() + 29 * DAY, 30).await, Forgotten::default());
    let gone = forget(&kept, now() + 31 * DAY, 30).await;
    assert_eq!((gone.events, gone.deliveries), (2, 1));
    for (id, there) in [("done", false), ("alone", false), ("waits", true), ("held", true), ("new", true)] {
        let found = kept.store.event(&kept.space, &EventId::parse(id).unwrap()).await.unwrap();
        assert_eq!(found.is_some(), there, "{id}");
    }
    whole(&kept);
}

#[tokio::test]
async fn an_event_with_many_deliveries_is_forgotten_in_steps() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let mut new = kept.event("{}");
    for _ in 0..40 {
        new = new.to(subscription, now());
    }
    new.identity = Identity::Producer { content_sha256: [2; 32] };
    kept.store.accept(vec![new]).await.unwrap();
    let records: Vec<_> = kept.lease(now()).await.iter().map(delivered).collect();
    kept.store.record(records.into()).await.unwrap();
    let expired = Expired { accepted_before: None, ended_before: after(60), bytes: None };
    let first = kept.store.forget_events(&kept.space, expired, Place::default(), 10).await.unwrap();
    assert_eq!((first.events, first.deliveries), (0, 5));
    let gone = forget(&kept, now() + 31 * DAY, 30).await;
    assert_eq!((gone.events, gone.deliveries), (1, 35));
    assert_eq!(kept.store.stored_bytes(&kept.space), 0);
    whole(&kept);
}

#[tokio::test]
async fn minutes_are_summed_up_to_hours_and_old_hours_go() {
    let kept = Kept::new().await;
    let database = kept.beside();
    let minute = now().as_second() / 60 / 60 * 60;
    for (scope, ago, delivered) in
        [(5, 0, 1), (5, 61, 2), (5, 62, 3), (5, 120, 4), (5, 121, 5), (5, 60_000, 6), (9, 121, 7)]
    {
        let row = (scope, minute - ago, delivered);
        database.execute("INSERT INTO counts VALUES (?1, ?2, ?3, 1, 0, 0, 0)", row).unwrap();
    }
    for _ in 0..2 {
        let mut next = Some(0);
        while let Some(after) = next {
            let (hour_ago, month_ago) = (now() - Duration::from_secs(3_600), now() - 30 * DAY);
            next = kept.store.sum_up_counts(after, hour_ago, month_ago, 1).await.unwrap();
        }
    }
    let mut select =
        database.prepare("SELECT scope, ?1 - minute, delivered, failed FROM counts ORDER BY 1, 2").unwrap();
    let rows = select.query_map([minute], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
    let rows: Vec<(i64, i64, i64, i64)> = rows.collect::<rusqlite::Result<_>>().unwrap();
    assert_eq!(rows, [(5, 0, 1, 1), (5, 120, 9, 3), (5, 180, 5, 1), (9, 180, 7, 1)]);
}
