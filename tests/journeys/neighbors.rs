//! Neighbors: a space whose receivers hang, or that has a long queue, leaves the others their places.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver, Reply};

const SECOND: Duration = Duration::from_secs(1);

/// A second space, `noisy`, beside `acme`.
async fn noisy(host: &TestHost) {
    host.ok(Method::POST, "/v1/spaces", json!({"id": "noisy", "name": "Noisy"})).await;
}

/// Subscribes a space to all its events.
async fn subscribe(host: &TestHost, space: &str, url: &str, more: Value) -> Value {
    let mut subscription = json!({"name": url, "url": url, "event_types": ["*"], "retry": {"schedule_s": []}});
    subscription.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host.ok(Method::POST, &format!("/v1/spaces/{space}/subscriptions"), subscription).await
}

async fn post(host: &TestHost, space: &str, count: usize) {
    for _ in 0..count {
        let event = json!({"type": "deal.created", "data": {}});
        host.ok(Method::POST, &format!("/v1/spaces/{space}/events"), event).await;
    }
}

/// Runs the loop until the receiver got so many requests more.
async fn until(host: &mut TestHost, receiver: &Receiver, count: usize) -> Vec<Received> {
    tokio::select! {
        got = receiver.take(count) => got,
        () = host.deliver() => panic!("nothing is left to do"),
    }
}

/// A receiver that answers nothing.
async fn hanging() -> Receiver {
    let receiver = Receiver::start().await;
    receiver.otherwise(Reply::Hang);
    receiver
}

/// Longer than any test waits.
fn patient() -> Value {
    json!({"timeout_ms": 60_000})
}

#[tokio::test]
async fn a_space_whose_two_hundred_receivers_hang_leaves_another_spaces_delivery_its_place() {
    let (hangs, fine) = (hanging().await, Receiver::start().await);
    let mut host = TestHost::start_with(|config| config.deliver.in_flight_max = 32).await;
    noisy(&host).await;
    for number in 0..200 {
        subscribe(&host, "noisy", &hangs.url(&format!("/{number}")), patient()).await;
    }
    subscribe(&host, "acme", &fine.url("/"), json!({})).await;
    post(&host, "noisy", 2).await;
    until(&mut host, &hangs, 16).await;
    for _ in 0..3 {
        post(&host, "acme", 1).await;
        until(&mut host, &fine, 1).await;
    }
    assert_eq!(hangs.requests().len(), 16, "half of the places");
}

#[tokio::test]
async fn however_many_spaces_hang_the_next_one_finds_a_place() {
    let (hangs, fine) = (hanging().await, Receiver::start().await);
    let mut host = TestHost::start_with(|config| config.deliver.in_flight_max = 32).await;
    for number in 0..5 {
        let space = format!("noisy-{number}");
        host.ok(Method::POST, "/v1/spaces", json!({"id": space, "name": "Noisy"})).await;
        for number in 0..4 {
            subscribe(&host, &space, &hangs.url(&format!("/{number}")), patient()).await;
        }
        post(&host, &space, 10).await;
    }
    subscribe(&host, "acme", &fine.url("/"), json!({})).await;
    until(&mut host, &hangs, 20).await;
    post(&host, "acme", 1).await;
    until(&mut host, &fine, 1).await;
}

#[tokio::test]
async fn a_spaces_burst_leaves_room_in_memory_and_turns_to_others() {
    let (busy, fine) = (Receiver::start().await, Receiver::start().await);
    let mut host = TestHost::start_with(|config| {
        config.deliver.waiting_max = 64;
        config.deliver.in_flight_max = 4;
    })
    .await;
    noisy(&host).await;
    for number in 0..2 {
        subscribe(&host, "noisy", &busy.url(&format!("/{number}")), json!({})).await;
    }
    subscribe(&host, "acme", &fine.url("/"), json!({})).await;
    post(&host, "noisy", 100).await;
    post(&host, "acme", 10).await;
    let in_memory = |space: &str| {
        // Those in memory have no other row yet.
        let count = "SELECT count(*) FROM deliveries JOIN spaces ON spaces.key = space
            WHERE spaces.id = ?1 AND deliveries.key NOT IN (SELECT delivery FROM waiting)";
        host.database().query_row(count, [space], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert!((20..=32).contains(&in_memory("noisy")), "{}", in_memory("noisy"));
    assert_eq!(in_memory("acme"), 10);
    until(&mut host, &fine, 10).await;
    let before = busy.requests().len();
    assert!(before < 50, "{before} of the burst went before the last of ten");
    host.settle().await;
    // Above, the loop was left in the middle of a step: what it was about to take is due again when its leases end.
    host.advance(Duration::from_secs(u64::from(host.host.config.deliver.lease_s) + 1)).await;
    let ids: HashSet<_> =
        busy.requests().iter().filter_map(|sent| sent.header("webhook-id").map(str::to_owned)).collect();
    assert_eq!(ids.len(), 200);
}

#[tokio::test]
async fn rows_of_a_long_queue_hide_no_due_row_of_another_space_or_subscription() {
    let (hangs, fine) = (hanging().await, Receiver::start().await);
    let mut host = TestHost::start_with(|config| {
        config.deliver.waiting_max = 64;
        config.deliver.in_flight_max = 16;
        config.deliver.fetch_max = 8;
    })
    .await;
    noisy(&host).await;
    for number in 0..5 {
        subscribe(&host, "noisy", &hangs.url(&format!("/{number}")), patient()).await;
    }
    let later = json!({"delay_s": 1});
    subscribe(&host, "noisy", &fine.url("/same-space"), later.clone()).await;
    subscribe(&host, "acme", &fine.url("/other-space"), later).await;
    // Five times as many rows are due before the others, and none of them ends.
    post(&host, "noisy", 100).await;
    post(&host, "acme", 1).await;
    until(&mut host, &hangs, 5).await;
    host.clock.advance(SECOND);
    let got = until(&mut host, &fine, 101).await;
    assert!(got[..20].iter().any(|request| request.target == "/other-space"));
}

#[tokio::test]
async fn a_receiver_that_hangs_is_held_to_one_place_until_it_answers() {
    let (hangs, fine) = (hanging().await, Receiver::start().await);
    let mut host = TestHost::start_with(|config| config.deliver.in_flight_per_subscription_max = 4).await;
    // On a busy machine, what is sent at once may arrive half of this apart.
    subscribe(&host, "acme", &hangs.url("/"), json!({"timeout_ms": 2_000})).await;
    post(&host, "acme", 6).await;
    host.settle().await;
    let came = hangs.take(6).await;
    let apart = |one: usize, other: usize| came[other].at.duration_since(came[one].at).as_millis();
    assert!(apart(0, 4) >= 1_000 && apart(4, 5) >= 1_000, "four at once, then one after the other");

    // What it answers in time counts, whatever it is.
    hangs.script("/", [Reply::status(500), Reply::status(500)]);
    post(&host, "acme", 4).await;
    host.settle().await;
    let came = hangs.take(4).await;
    let together = came[3].at.duration_since(came[2].at).as_millis();
    assert!(together < 1_000, "two answers, two more places; apart by {together} ms");
    drop(fine);
}

#[tokio::test]
async fn subscriptions_that_hang_share_few_places_and_leave_the_rest_to_their_neighbors_in_the_space() {
    let (hangs, fine) = (hanging().await, Receiver::start().await);
    let mut host = TestHost::start_with(|config| {
        config.deliver.in_flight_max = 16;
        config.deliver.in_flight_per_subscription_max = 1;
    })
    .await;
    let ids = async |timeout_ms: u32| {
        let mut ids = Vec::new();
        for number in 0..20 {
            let more = json!({"timeout_ms": timeout_ms, "event_types": ["deal.created"]});
            let made = subscribe(&host, "acme", &hangs.url(&format!("/{number}")), more).await;
            ids.push(made["id"].as_str().unwrap().to_owned());
        }
        ids
    };
    let ids = ids(2_000).await;
    post(&host, "acme", 1).await;
    host.settle().await;
    hangs.take(20).await;
    for id in ids {
        host.ok(Method::PATCH, &format!("/v1/spaces/acme/subscriptions/{id}"), patient()).await;
    }
    subscribe(&host, "acme", &fine.url("/"), json!({"event_types": ["deal.won"]})).await;
    post(&host, "acme", 2).await;
    // A third of the places: as much as is left to those that answer.
    until(&mut host, &hangs, 5).await;
    for _ in 0..3 {
        host.post("deal.won", "{}").await;
        until(&mut host, &fine, 1).await;
    }
    assert!(hangs.requests().len() <= 20 + 6, "{}", hangs.requests().len());
}

#[tokio::test]
async fn what_is_in_memory_is_sent_while_rows_are_being_fetched() {
    let fine = Receiver::start().await;
    let mut host = TestHost::start().await;
    subscribe(&host, "acme", &fine.url("/later"), json!({"event_types": ["deal.won"], "delay_s": 60})).await;
    subscribe(&host, "acme", &fine.url("/now"), json!({"event_types": ["deal.created"]})).await;
    host.post("deal.won", "{}").await;
    host.clock.advance(Duration::from_secs(61));
    host.post("deal.created", "{}").await;
    // Nothing can be leased for now.
    let database = host.database();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let sent = tokio::time::timeout(2 * SECOND, until(&mut host, &fine, 1)).await;
    assert_eq!(sent.expect("it did not wait for the fetch")[0].target, "/now");
    database.execute_batch("ROLLBACK").unwrap();
    host.settle().await;
    assert_eq!(fine.requests().len(), 2);
}

#[tokio::test]
async fn a_space_whose_attempts_wait_to_be_recorded_leaves_a_place_to_another() {
    let (busy, fine) = (Receiver::start().await, Receiver::start().await);
    let mut host = TestHost::start_with(|config| config.deliver.in_flight_max = 4).await;
    noisy(&host).await;
    subscribe(&host, "noisy", &busy.url("/"), json!({})).await;
    subscribe(&host, "acme", &fine.url("/"), json!({})).await;
    post(&host, "acme", 1).await;
    let later = host.host.inbox.arrivals();
    post(&host, "noisy", 10).await;
    // Nothing can be recorded for now.
    let database = host.database();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    until(&mut host, &busy, 4).await;
    host.host.inbox.push(later);
    let sent = tokio::time::timeout(2 * SECOND, until(&mut host, &fine, 1)).await;
    assert!(sent.is_ok(), "it waited until the other's attempts are recorded");
    assert_eq!(busy.requests().len(), 4);
    database.execute_batch("ROLLBACK").unwrap();
    host.settle().await;
    assert_eq!(busy.requests().len(), 10);
}
