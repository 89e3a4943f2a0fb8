//! A subscription's own limits: a rate, and requests at once.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

const SECOND: Duration = Duration::from_secs(1);

async fn post(host: &TestHost, count: usize) {
    for _ in 0..count {
        host.post("deal.created", "{}").await;
    }
}

#[tokio::test]
async fn what_is_beyond_a_rate_waits_and_uses_up_no_attempt() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let made = host.subscribe(&receiver.url("/"), json!({"rate": {"count": 2, "per": "minute"}})).await;
    assert_eq!(made["rate"], json!({"count": 2, "per": "minute"}));
    post(&host, 2).await;
    host.settle().await;
    post(&host, 3).await;
    host.settle().await;
    assert_eq!(receiver.requests().len(), 2);
    for (advance, sent) in [(59, 2), (1, 4), (59, 4), (1, 5)] {
        host.advance(advance * SECOND).await;
        assert_eq!(receiver.requests().len(), sent);
    }
    let list = host.ok(Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
    for delivery in list["data"].as_array().unwrap() {
        assert_eq!((&delivery["state"], &delivery["attempt_count"]), (&json!("delivered"), &json!(1)));
    }
}

#[tokio::test]
async fn retries_count_for_a_rate_and_other_subscriptions_do_not_wait() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/slow", [Reply::status(500)]);
    let more = json!({"rate": {"count": 1, "per": "hour"}, "retry": {"schedule_s": [1], "jitter_percent": 0}});
    host.subscribe(&receiver.url("/slow"), more).await;
    host.subscribe(&receiver.url("/fine"), json!({})).await;
    post(&host, 10).await;
    host.settle().await;
    let sent = |path: &str| receiver.requests().iter().filter(|request| request.target == path).count();
    assert_eq!((sent("/slow"), sent("/fine")), (1, 10));
    host.advance(2 * SECOND).await;
    assert_eq!(sent("/slow"), 1);
    host.advance(3_600 * SECOND).await;
    assert_eq!(sent("/slow"), 2);
}

#[tokio::test]
async fn a_rate_that_is_changed_or_removed_holds_at_once() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let made = host.subscribe(&receiver.url("/"), json!({"rate": {"count": 1, "per": "hour"}})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    post(&host, 10).await;
    host.settle().await;
    host.ok(Method::PATCH, &path, json!({"rate": {"count": 3, "per": "second"}})).await;
    host.settle().await;
    assert_eq!(receiver.requests().len(), 4);
    host.advance(SECOND).await;
    assert_eq!(receiver.requests().len(), 7);
    let changed = host.ok(Method::PATCH, &path, json!({"rate": null})).await;
    assert_eq!(changed["rate"], Value::Null);
    host.settle().await;
    assert_eq!(receiver.requests().len(), 10);
}

#[tokio::test]
async fn a_subscription_has_no_more_requests_at_once_than_it_wants() {
    let (hangs, fine) = (Receiver::start().await, Receiver::start().await);
    hangs.otherwise(Reply::Hang);
    let mut host = TestHost::start().await;
    host.subscribe(&hangs.url("/"), json!({"in_flight_max": 2, "timeout_ms": 60_000})).await;
    let made = host.subscribe(&fine.url("/"), json!({})).await;
    assert_eq!(made["in_flight_max"], Value::Null);
    post(&host, 20).await;
    tokio::select! {
        _ = fine.take(20) => {}
        () = host.deliver() => panic!("some hang"),
    }
    assert_eq!(hangs.requests().len(), 2);
}

#[tokio::test]
async fn a_rate_out_of_bounds_is_refused() {
    let host = TestHost::start().await;
    for (rate, pointer) in [
        (json!({"count": 0, "per": "second"}), "/rate/count"),
        (json!({"count": 100_001, "per": "hour"}), "/rate/count"),
        (json!({"count": 1, "per": "day"}), "/rate/per"),
    ] {
        let subscription = json!({"name": "x", "url": "http://127.0.0.1/", "event_types": ["*"], "rate": rate});
        let (status, answer) = host.call(Method::POST, "/v1/spaces/acme/subscriptions", subscription).await;
        assert_eq!((status.as_u16(), &answer["field"]), (422, &json!(pointer)), "{answer}");
    }
}
