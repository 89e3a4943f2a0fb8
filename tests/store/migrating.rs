//! Migrating a database of the first version, with rows of every kind that later migrations change.

use hookmill_model::{
    DeliveryId, DeliveryState, EventId, Outcome, Signing, SpaceId, Subscription, SubscriptionId, SubscriptionState,
};
use hookmill_store::{DeliveryFilter, Sqlite, Store as _};
use rusqlite::{Connection, Statement, params};

use super::{now, subscription};

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

/// All migrations before history was only appended.
const BEFORE_APPENDING: [&str; 9] = [
    include_str!("../../host/store/migrations/0001_first.sql"),
    include_str!("../../host/store/migrations/0002_profiles.sql"),
    include_str!("../../host/store/migrations/0003_notices.sql"),
    include_str!("../../host/store/migrations/0004_plugins.sql"),
    include_str!("../../host/store/migrations/0005_shadows.sql"),
    include_str!("../../host/store/migrations/0006_sources.sql"),
    include_str!("../../host/store/migrations/0007_words.sql"),
    include_str!("../../host/store/migrations/0008_quotas.sql"),
    include_str!("../../host/store/migrations/0009_turns.sql"),
];

/// A database of schema 9 with this many deliveries in all states, of two spaces and eight subscriptions.
struct Earlier {
    db: Connection,
    subscriptions: Vec<SubscriptionId>,
}

fn earlier(file: &std::path::Path, deliveries: i64) -> Earlier {
    let db = Connection::open(file).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    for sql in BEFORE_APPENDING {
        db.execute_batch(sql).unwrap();
    }
    db.pragma_update(None, "user_version", 9).unwrap();
    db.execute_batch("BEGIN; INSERT INTO spaces (id, name, created_at) VALUES ('acme', 'A', 1), ('other', 'O', 1);")
        .unwrap();
    let subscriptions: Vec<_> = (0..8).map(|_| SubscriptionId::new(now())).collect();
    for (number, id) in subscriptions.iter().enumerate() {
        let space = SpaceId::parse(space_of(number)).unwrap();
        let definition = serde_json::to_string(&Subscription { id: *id, ..subscription(&space) }).unwrap();
        let insert = "INSERT INTO subscriptions (id, space, state, definition) VALUES (?1, ?2, 'active', ?3)";
        db.execute(insert, [&id.to_string(), space.as_str(), &definition]).unwrap();
    }
    let mut put = Rows::new(&db);
    for number in 0..deliveries {
        put.delivery(number, &subscriptions);
    }
    drop(put);
    db.execute_batch("COMMIT").unwrap();
    Earlier { db, subscriptions }
}

fn space_of(subscription: usize) -> &'static str {
    if subscription < 6 { "acme" } else { "other" }
}

/// Statements that write rows of schema 9.
struct Rows<'db> {
    event: Statement<'db>,
    delivery: Statement<'db>,
    attempt: Statement<'db>,
}

impl<'db> Rows<'db> {
    fn new(db: &'db Connection) -> Self {
        Self {
            event: db
                .prepare(
                    "INSERT INTO events (seq, space, id, kind, occurred_at, accepted_at, content_sha256, data)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?5, zeroblob(32), ?6)",
                )
                .unwrap(),
            delivery: db
                .prepare(
                    "INSERT INTO deliveries (id, space, event, subscription, state, attempts, due_at, completed_at, reason,
                        ready_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?7)",
                )
                .unwrap(),
            attempt: db
                .prepare(
                    "INSERT INTO attempts (delivery, number, due_at, started_at, transform_us, send_us, fuel_used, fuel_max,
                        memory_bytes, memory_bytes_max, request_method, request_url, request_headers, request_body,
                        request_signature_headers, outcome, code, message, answer_status, answer_headers, answer_body,
                        answer_truncated)
                     VALUES (?1, ?2, ?3, ?3, 1, 2, 0, 0, 0, 0, 'POST', 'https://example.com', '[]', ?4, 0, ?5, ?6, ?7, ?8,
                        iif(?8 IS NULL, NULL, '[]'), iif(?8 IS NULL, NULL, x'6f6b'), iif(?8 IS NULL, NULL, 0))",
                )
                .unwrap(),
        }
    }

    /// Writes a delivery with its attempts; each third has the event of the one before.
    fn delivery(&mut self, number: i64, subscriptions: &[SubscriptionId]) {
        let (event, second) = (number / 3 * 2 + i64::from(number % 3 == 2), number % 3 == 1);
        // Deliveries of one event are of one space.
        let subscription = usize::try_from(event % 4 * 2 + i64::from(second)).unwrap();
        let at = now() + std::time::Duration::from_millis(u64::try_from(event).unwrap());
        let (micros, space) = (at.as_microsecond(), space_of(subscription));
        let data = data(event);
        if !second {
            let id = if event % 5 == 0 { format!("p{event}") } else { EventId::new(at).as_str().to_owned() };
            let kind = ["deal.won", "deal.lost", "lead.create"][usize::try_from(event % 3).unwrap()];
            self.event.execute(params![event + 1, space, id, kind, micros, data]).unwrap();
        }
        let (state, attempts, reason) = match number % 20 {
            0 => ("failed", 2, Some("the receiver answered 500")),
            1 => ("pending", 1, Some("it timed out")),
            2 => ("held", 0, Some("the subscription is paused")),
            3 => ("cancelled", 0, Some("cancelled by a caller")),
            4 => ("skipped", 1, Some("not wanted")),
            5 => ("pending", 0, None),
            _ => ("delivered", 1, None),
        };
        // In order of its number, also within a millisecond.
        let id = DeliveryId::from_bytes(
            [&at.as_millisecond().to_be_bytes()[2..], &[0; 2], &number.to_be_bytes()].concat().try_into().unwrap(),
        );
        let completed_at = (state != "pending" && state != "held").then_some(micros + 9);
        let (id, subscription) = (id.to_string(), subscriptions[subscription].to_string());
        let row = params![id, space, event + 1, subscription, state, attempts, micros, completed_at, reason];
        self.delivery.execute(row).unwrap();
        for attempt in 1..=attempts {
            let (outcome, fault, status) = match state {
                "failed" => ("rejected", None, Some(500)),
                "pending" => ("unreachable", Some("timeout"), None),
                "skipped" => ("skipped", None, None),
                _ => ("succeeded", None, Some(200)),
            };
            let body = format!("{{\"type\":\"x\",\"data\":{data}}}").into_bytes();
            let message = fault.or((outcome == "skipped").then_some("not wanted"));
            self.attempt.execute(params![id, attempt, micros, body, outcome, fault, message, status]).unwrap();
        }
    }
}

fn data(event: i64) -> String {
    format!("{{\"id\":{event},\"value\":12.50,\"text\":\"{}\"}}", "é ".repeat(20))
}

/// What a listing shows of a delivery.
type Shown = (String, String, u32, i64, Option<i64>, Option<String>);

impl Earlier {
    /// All deliveries of a space, newest first, in this state or of this subscription.
    fn listing(&self, space: &str, state: Option<DeliveryState>, subscription: Option<SubscriptionId>) -> Vec<Shown> {
        let mut select = self
            .db
            .prepare(
                "SELECT id, state, attempts, due_at, completed_at, reason FROM deliveries
                 WHERE space = ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR subscription = ?3) ORDER BY id DESC",
            )
            .unwrap();
        let parameters = params![space, state.map(DeliveryState::as_str), subscription.map(|id| id.to_string())];
        let rows = select.query_map(parameters, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }
}

/// All deliveries that a store lists, page by page.
async fn listed(store: &Sqlite, space: &SpaceId, mut filter: DeliveryFilter) -> Vec<Shown> {
    let mut all = Vec::new();
    loop {
        let part = store.deliveries(space, filter.clone(), 200).await.unwrap();
        all.extend(part.entries.into_iter().map(|head| {
            let completed_at = head.completed_at.map(jiff::Timestamp::as_microsecond);
            let state = head.state.as_str().to_owned();
            (head.id.to_string(), state, head.attempts, head.due_at.as_microsecond(), completed_at, head.reason)
        }));
        filter.before = part.next;
        if filter.before.is_none() {
            return all;
        }
    }
}

/// `HOOKMILL_MIGRATED_DELIVERIES` sets how many; 600 without it.
#[tokio::test]
async fn history_of_the_version_before_is_listed_as_it_was() {
    let deliveries = std::env::var("HOOKMILL_MIGRATED_DELIVERIES").map_or(600, |count| count.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let earlier = earlier(&dir.path().join("hookmill.db"), deliveries);
    let mut all = Vec::new();
    for state in [None].into_iter().chain(DeliveryState::ALL.map(Some)) {
        all.extend([("acme", state, None), ("other", state, None)]);
        all.extend(earlier.subscriptions.iter().enumerate().map(|(number, id)| (space_of(number), state, Some(*id))));
    }
    let before: Vec<_> = all.iter().map(|(space, state, of)| earlier.listing(space, *state, *of)).collect();
    drop(earlier);

    let started = std::time::Instant::now();
    let store = Sqlite::open(dir.path()).unwrap();
    println!("{deliveries} deliveries were taken over in {:?}", started.elapsed());
    let mut compared = 0;
    for ((space, state, subscription), before) in all.into_iter().zip(before) {
        let filter = DeliveryFilter { state, subscription, ..DeliveryFilter::default() };
        let after = listed(&store, &SpaceId::parse(space).unwrap(), filter).await;
        assert!(after == before, "{space} {state:?} {subscription:?}: {} and {}", before.len(), after.len());
        compared += after.len();
        for (id, ..) in after.iter().step_by(997) {
            let (delivery, attempts) =
                store.delivery(&SpaceId::parse(space).unwrap(), id.parse().unwrap()).await.unwrap().unwrap();
            let data = delivery.event.data.get();
            for attempt in attempts {
                let body = attempt.request.unwrap().body;
                assert_eq!(body, format!("{{\"type\":\"x\",\"data\":{data}}}").as_bytes());
            }
        }
    }
    println!("{compared} rows of 70 listings were compared");
    assert!(compared > 0);
}
