//! Replays of what a space received, and of what failed, with a clock that the tests move.

mod failed;
mod life;
mod limits;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::Receiver;

pub const SECOND: Duration = Duration::from_secs(1);

/// Posts events whose data is their number, a millisecond apart.
pub async fn post(host: &TestHost, kind: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        host.post(kind, &number.to_string()).await;
        host.clock.advance(Duration::from_millis(1));
    }
}

/// A new subscription; its path.
pub async fn subscribe(host: &TestHost, url: &str, more: Value) -> String {
    let made = host.subscribe(url, more).await;
    format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap())
}

/// Starts a replay of everything, unless `more` says otherwise; its path.
pub async fn replay(host: &TestHost, subscription: &str, more: Value) -> String {
    let mut replay = json!({"since": "2026-01-01T00:00:00Z", "deliveries_per_s": 1_000});
    replay.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = host.ok(Method::POST, &format!("{subscription}/replays"), replay).await;
    format!("{subscription}/replays/{}", made["id"].as_str().unwrap())
}

pub async fn show(host: &TestHost, path: &str) -> Value {
    host.ok(Method::GET, path, Value::Null).await
}

/// Takes the steps of replays that are due, and delivers.
pub async fn pass(host: &mut TestHost, time: Duration) {
    host.clock.advance(time);
    hookmill_server::replay::run_once(&host.host).await.unwrap();
    host.settle().await;
}

/// Takes all steps of short replays, and delivers what they made.
pub async fn finish(host: &mut TestHost) {
    pass(host, SECOND).await;
    pass(host, SECOND).await;
}

/// The numbers that came at a path, in the order in which they came.
pub fn numbers(receiver: &Receiver, path: &str) -> Vec<u32> {
    let requests = receiver.requests().into_iter().filter(|request| request.target == path);
    requests
        .map(|request| serde_json::from_str::<Value>(request.text()).unwrap()["data"].as_u64().unwrap() as u32)
        .collect()
}

#[tokio::test]
async fn a_new_subscription_gets_what_the_space_received_in_order_of_acceptance() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    subscribe(&host, &receiver.url("/old"), json!({"event_types": ["deal.won"]})).await;
    for number in 0..40 {
        post(&host, if number % 3 == 0 { "deal.won" } else { "deal.lost" }, number..number + 1).await;
    }
    host.settle().await;
    let new = subscribe(&host, &receiver.url("/new"), json!({"in_flight_max": 1, "delay_s": 600})).await;
    let path = replay(&host, &new, json!({})).await;
    finish(&mut host).await;

    assert_eq!(numbers(&receiver, "/new"), (0..40).collect::<Vec<_>>());
    assert_eq!(numbers(&receiver, "/old").len(), 14);
    let done = show(&host, &path).await;
    assert_eq!((&done["state"], &done["progress"], &done["remaining_s"]), (&json!("done"), &json!(1.0), &Value::Null));
    assert_eq!((&done["examined"], &done["deliveries"]), (&json!(40), &json!(40)));
    assert_eq!(done["event_types"], json!(["*"]));
    // The event shows its later delivery, and the delivery is found by the event.
    let events = host.ok(Method::GET, "/v1/spaces/acme/events?limit=200", Value::Null).await;
    let oldest = events["data"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    let list = host.ok(Method::GET, &format!("/v1/spaces/acme/deliveries?event={oldest}"), Value::Null).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    let since = done["since"].as_str().unwrap();
    let until = done["until"].as_str().unwrap();
    let query = format!("/v1/spaces/acme/deliveries?since={since}&until={until}&limit=200");
    assert_eq!(host.ok(Method::GET, &query, Value::Null).await["data"].as_array().unwrap().len(), 54);
}

#[tokio::test]
async fn only_what_was_accepted_in_the_time_is_sent_and_what_comes_later_is_not() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    post(&host, "deal.won", 0..10).await;
    let since = host.clock.now();
    post(&host, "deal.won", 10..20).await;
    let until = host.clock.now();
    post(&host, "deal.won", 20..30).await;
    let path = subscribe(&host, &receiver.url("/"), json!({"in_flight_max": 1})).await;
    replay(&host, &path, json!({"since": since, "until": until})).await;
    finish(&mut host).await;
    assert_eq!(numbers(&receiver, "/"), (10..20).collect::<Vec<_>>());

    replay(&host, &path, json!({"since": until})).await;
    // Accepted after the request, and so delivered as any other, once.
    post(&host, "deal.won", 30..35).await;
    host.settle().await;
    finish(&mut host).await;
    let mut all = numbers(&receiver, "/").split_off(10);
    all.sort_unstable();
    assert_eq!(all, (20..35).collect::<Vec<_>>());
}

#[tokio::test]
async fn types_trigger_and_condition_select_what_is_sent() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    for number in 0..10 {
        post(&host, ["deal.won", "deal.lost.late", "lead.created"][number as usize % 3], number..number + 1).await;
    }
    let own = json!({"event_types": ["deal.*"], "condition": "event.data < 5", "in_flight_max": 1});
    let path = subscribe(&host, &receiver.url("/"), own).await;
    for (more, wanted) in [
        (json!({}), vec![0, 1, 3, 4]),
        (json!({"condition": "true"}), vec![0, 1, 3, 4, 6, 7, 9]),
        (json!({"event_types": ["lead.created", "deal.won"]}), vec![0, 2, 3]),
        (json!({"event_types": ["lead.*"], "condition": "event.data > 5"}), vec![8]),
    ] {
        let before = numbers(&receiver, "/").len();
        let replay = replay(&host, &path, more.clone()).await;
        finish(&mut host).await;
        assert_eq!(numbers(&receiver, "/").split_off(before), wanted, "{more}");
        assert_eq!(show(&host, &replay).await["deliveries"], wanted.len());
    }
    // A change of the subscription does not change a replay that runs.
    let before = numbers(&receiver, "/").len();
    replay(&host, &path, json!({})).await;
    host.ok(Method::PATCH, &path, json!({"condition": "event.data == 9"})).await;
    finish(&mut host).await;
    assert_eq!(numbers(&receiver, "/").split_off(before), [0, 1, 3, 4]);
    // A trigger that no event fires.
    host.ok(Method::PATCH, &path, json!({"trigger": {"fields": ["stage"]}})).await;
    replay(&host, &path, json!({"condition": "true"})).await;
    finish(&mut host).await;
    assert_eq!(numbers(&receiver, "/").len(), before + 4);
}

#[tokio::test]
async fn what_a_new_subscription_has_already_is_left_out_if_only_what_is_missing_is_wanted() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    post(&host, "deal.won", 0..10).await;
    let path = subscribe(&host, &receiver.url("/"), json!({})).await;
    subscribe(&host, &receiver.url("/other"), json!({})).await;
    post(&host, "deal.won", 10..20).await;
    host.settle().await;
    // Two at once: none sends what the other has sent.
    let first = replay(&host, &path, json!({"only_missing": true, "deliveries_per_s": 2})).await;
    let second = replay(&host, &path, json!({"only_missing": true, "deliveries_per_s": 3})).await;
    for _ in 0..8 {
        pass(&mut host, SECOND).await;
    }
    let mut all = numbers(&receiver, "/");
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<_>>());
    let (first, second) = (show(&host, &first).await, show(&host, &second).await);
    assert_eq!((&first["state"], &second["state"]), (&json!("done"), &json!("done")));
    assert_eq!(first["deliveries"].as_u64().unwrap() + second["deliveries"].as_u64().unwrap(), 10);
    assert_eq!(numbers(&receiver, "/other").len(), 10);
}

#[tokio::test]
async fn test_events_are_not_replayed() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let path = subscribe(&host, &receiver.url("/"), json!({})).await;
    host.ok(Method::POST, &format!("{path}/test"), json!({"type": "deal.won", "data": 1})).await;
    host.settle().await;
    let replay = replay(&host, &path, json!({})).await;
    finish(&mut host).await;
    assert_eq!(numbers(&receiver, "/"), [1]);
    assert_eq!(
        (&show(&host, &replay).await["state"], &show(&host, &replay).await["examined"]),
        (&json!("done"), &json!(0))
    );
}

#[tokio::test]
async fn deliveries_are_made_at_the_rate_and_no_faster() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    post(&host, "deal.won", 0..35).await;
    let path = subscribe(&host, &receiver.url("/"), json!({"in_flight_max": 1})).await;
    let path = replay(&host, &path, json!({"deliveries_per_s": 10})).await;
    let tenth = SECOND / 10;
    pass(&mut host, Duration::ZERO).await;
    for sent in 1..=35 {
        assert_eq!(numbers(&receiver, "/"), (0..sent).collect::<Vec<_>>());
        let made = show(&host, &path).await["deliveries"].as_u64().unwrap();
        // A second's at a time.
        assert_eq!(made, u64::from(sent.div_ceil(10) * 10).min(35), "{sent}");
        pass(&mut host, tenth).await;
    }
    assert_eq!(show(&host, &path).await["state"], "done");
}
