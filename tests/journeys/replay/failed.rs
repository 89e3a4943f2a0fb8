//! Sending failed deliveries again.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SECOND, finish, numbers, pass, post, replay, show, subscribe};
use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

async fn states(host: &TestHost, state: &str) -> usize {
    let list = format!("/v1/spaces/acme/deliveries?limit=200&state={state}");
    host.ok(Method::GET, &list, Value::Null).await["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn all_failed_deliveries_since_a_time_are_sent_again_in_order_under_their_ids() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let once = json!({"retry": {"schedule_s": []}, "in_flight_max": 1});
    let subscription = subscribe(&host, &receiver.url("/"), once.clone()).await;
    subscribe(&host, &receiver.url("/other"), once).await;
    receiver.otherwise(Reply::status(500));
    post(&host, "deal.won", 0..5).await;
    let since = host.clock.now();
    for number in 5..15 {
        post(&host, if number % 2 == 0 { "deal.won" } else { "lead.created" }, number..number + 1).await;
    }
    host.settle().await;
    receiver.otherwise(Reply::status(204));
    post(&host, "deal.won", 15..20).await;
    host.settle().await;
    assert_eq!(states(&host, "failed").await, 30);
    let before = numbers(&receiver, "/").len();
    let only = json!({"what": "failed", "since": since, "event_types": ["lead.*"], "condition": "event.data < 8"});
    replay(&host, &subscription, only).await;
    finish(&mut host).await;
    assert_eq!(numbers(&receiver, "/").split_off(before), [5, 7]);

    let path = replay(&host, &subscription, json!({"what": "failed", "since": since, "deliveries_per_s": 4})).await;
    pass(&mut host, SECOND / 1_000).await;
    assert_eq!(states(&host, "pending").await, 3);
    finish(&mut host).await;
    assert_eq!(numbers(&receiver, "/").split_off(before), [5, 7, 6, 8, 9, 10, 11, 12, 13, 14]);
    let shown = show(&host, &path).await;
    assert_eq!(
        (&shown["state"], &shown["deliveries"], &shown["event_types"]),
        (&json!("done"), &json!(8), &Value::Null)
    );
    // Those before the time, and the other subscription's.
    assert_eq!(states(&host, "failed").await, 20);
    let requests = receiver.requests();
    let again = requests.iter().rfind(|request| request.target == "/").unwrap();
    let id = again.header("webhook-id").unwrap();
    let delivery = host.delivery_of(id).await;
    assert_eq!((&delivery["state"], &delivery["attempt_count"]), (&json!("delivered"), &json!(2)));
    let backlog = host.host.store.backlog();
    assert!(backlog.iter().all(|(_, count)| *count == 0), "{backlog:?}");
}

#[tokio::test]
async fn what_fails_again_is_not_sent_a_third_time() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let subscription = subscribe(&host, &receiver.url("/"), json!({"retry": {"schedule_s": []}})).await;
    post(&host, "deal.won", 0..25).await;
    host.settle().await;
    let path = replay(&host, &subscription, json!({"what": "failed", "deliveries_per_s": 10})).await;
    for _ in 0..6 {
        // These fail, too, but after the request.
        post(&host, "deal.won", 100..101).await;
        pass(&mut host, SECOND).await;
    }
    assert_eq!(show(&host, &path).await["deliveries"], 25);
    assert_eq!(numbers(&receiver, "/").len(), 25 + 25 + 6);
}
