//! Migrating a database of the first version, with rows of every kind that later migrations change.

use hookmill_model::{DeliveryState, Outcome, Signing, SpaceId, SubscriptionState};
use hookmill_store::{Sqlite, Store as _};
use rusqlite::Connection;

const SUBSCRIPTION: &str = "sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E";
const DELIVERY: &str = "dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4F";

/// A subscription as the first version wrote it, without the members that were added later.
const DEFINITION: &str = r#"{"id":"sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E","space":"acme","name":"Old","description":"",
    "url":"https://example.com/hook","method":"POST","event_types":["deal.*"],"condition":null,
    "fields":{"include":[],"exclude":[]},"content_type":"application/json","headers":[],"delay_s":0,"plugin":null,
    "secrets":["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"],"timeout_ms":15000,"success_codes":"2xx",
    "retry":{"schedule_s":[5],"jitter_percent":10},"state":"paused","pause_reason":"gone",
    "created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}"#;

fn first_version(file: &std::path::Path) {
    let db = Connection::open(file).unwrap();
    db.execute_batch(include_str!("../../host/store/migrations/0001_first.sql")).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    db.execute_batch(
        "INSERT INTO spaces VALUES ('acme', 'Acme', 1);
         INSERT INTO events VALUES (1, 'acme', 'evt_1', 'deal.won', 1, 2, zeroblob(32), '{\"value\":12.50}');",
    )
    .unwrap();
    db.execute("INSERT INTO subscriptions VALUES (?1, 'acme', 'paused', ?2)", [SUBSCRIPTION, DEFINITION]).unwrap();
    db.execute("INSERT INTO subscription_activity VALUES (?1, 3, 2)", [SUBSCRIPTION]).unwrap();
    db.execute(
        "INSERT INTO deliveries VALUES (?1, 'acme', 1, ?2, 'held', 1, 5, NULL, NULL, 'the subscription is paused', 5)",
        [DELIVERY, SUBSCRIPTION],
    )
    .unwrap();
    db.execute(
        "INSERT INTO attempts (delivery, number, due_at, started_at, transform_us, send_us, fuel_used, request_method,
            request_url, request_headers, request_body, outcome, answer_status, answer_headers, answer_body,
            answer_truncated)
         VALUES (?1, 1, 2, 3, 4, 5, 0, 'POST', 'https://example.com/hook', '[]', x'7b7d', 'refused', 410, '[]', x'', 0)",
        [DELIVERY],
    )
    .unwrap();
}

#[tokio::test]
async fn a_database_of_the_first_version_is_migrated_with_all_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hookmill.db");
    first_version(&file);
    let store = Sqlite::open(dir.path()).unwrap();
    let space = SpaceId::parse("acme").unwrap();

    let (mut subscription, activity) =
        store.subscription(&space, SUBSCRIPTION.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((subscription.profile.as_str(), &subscription.signing), ("standard", &Signing::default()));
    assert_eq!((subscription.state, activity.failure_streak), (SubscriptionState::Paused, 3));
    assert_eq!((activity.failed_deliveries, subscription.handshake.is_none()), (0, true));

    let (delivery, attempts) = store.delivery(&space, DELIVERY.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((delivery.state, delivery.event.data.get()), (DeliveryState::Held, r#"{"value":12.50}"#));
    assert_eq!((delivery.test, delivery.verbatim, delivery.more.len()), (false, false, 0));
    assert!(matches!(&attempts[0].outcome, Outcome::Rejected(answer) if answer.status == 410));
    assert_eq!(attempts[0].request.as_ref().unwrap().sealed, []);
    assert_eq!((attempts[0].figures.transform_us, attempts[0].figures.fuel_max), (4, 0));
    assert_eq!((delivery.pinned, &attempts[0].plugin_fault, activity.plugin_failures), (None, &None, 0));
    assert!(subscription.plugin_history.is_empty());
    assert_eq!(store.space(&space).await.unwrap().unwrap().administrators, []);

    // The recreated table accepts the new states, and is still referred to.
    subscription.state = SubscriptionState::Verifying;
    store.put_subscription(&subscription, delivery.due_at).await.unwrap();
    let beside = Connection::open(&file).unwrap();
    let broken: i64 = beside.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(broken, 0);
    let referred: i64 = beside
        .query_row(
            "SELECT count(*) FROM pragma_foreign_key_list('notices') WHERE \"table\" = 'subscriptions'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(referred, 1);
}
