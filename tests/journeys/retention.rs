//! Retention: how long a space keeps its history, and how much of it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::Receiver;

const SPACE: &str = "/v1/spaces/acme";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn count(host: &TestHost, list: &str) -> usize {
    host.ok(Method::GET, &format!("{SPACE}/{list}?limit=200"), Value::Null).await["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn events_deliveries_and_attempts_are_kept_for_thirty_days_or_for_what_the_space_says() {
    let receiver = Receiver::start().await;
    let mut host = TestHost::start().await;
    host.subscribe(&receiver.url("/"), json!({})).await;
    assert_eq!(host.ok(Method::GET, SPACE, Value::Null).await["keep_days"], 30);
    host.post("deal.won", "{}").await;
    host.settle().await;
    host.advance(29 * DAY).await;
    host.post("deal.won", "{}").await;
    host.settle().await;
    assert_eq!(host.forget().await, 0);
    host.advance(2 * DAY).await;
    assert_eq!(host.forget().await, 1);
    assert_eq!((count(&host, "events").await, count(&host, "deliveries").await), (1, 1));

    let changed = host.ok(Method::PATCH, SPACE, json!({"keep_days": 1})).await;
    assert_eq!(changed["keep_days"], 1);
    assert_eq!(host.forget().await, 1);
    assert_eq!((count(&host, "events").await, count(&host, "deliveries").await), (0, 0));
    let database = host.database();
    let attempts: i64 = database.query_row("SELECT count(*) FROM attempts", [], |row| row.get(0)).unwrap();
    assert_eq!(attempts, 0);
    assert_eq!(host.ok(Method::PATCH, SPACE, json!({"keep_days": null})).await["keep_days"], 30);
    for wrong in [json!({"keep_days": 0}), json!({"keep_days": 36_501}), json!({"keep_bytes": 0}), json!({"keep_bytes": 1.5})] {
        let (status, answer) = host.call(Method::PATCH, SPACE, wrong.to_string()).await;
        assert_eq!(status, 422, "{answer}");
        let field = answer["field"].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert!(field.starts_with("/keep_"), "{answer}");
    }
}

#[tokio::test]
async fn beyond_its_bytes_a_space_forgets_the_oldest_and_keeps_what_waits() {
    let receiver = Receiver::start().await;
    let mut host = TestHost::start().await;
    host.subscribe(&receiver.url("/"), json!({"event_types": ["fast.*"]})).await;
    host.subscribe(&receiver.url("/"), json!({"event_types": ["slow.*"], "delay_s": 3_600})).await;
    let data = json!("x".repeat(1_000)).to_string();
    let waits = host.post("slow.first", &data).await["id"].as_str().unwrap().to_owned();
    let mut posted = Vec::new();
    for number in 0..20 {
        let kind = format!("fast.kind{}", number % 3);
        posted.push(host.post(&kind, &data).await["id"].as_str().unwrap().to_owned());
    }
    host.settle().await;
    assert_eq!(host.forget().await, 0);
    host.ok(Method::PATCH, SPACE, json!({"keep_bytes": 10_000})).await;
    assert!(host.forget().await > 0);
    let stored = host.host.store.stored_bytes(&"acme".parse().unwrap());
    assert!((1_000..=10_000).contains(&stored), "{stored}");
    let kept = host.ok(Method::GET, &format!("{SPACE}/events"), Value::Null).await;
    let kept: Vec<_> = kept["data"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap()).collect();
    // The newest, whatever their types, and the one that waits.
    let (oldest, newest) = kept.split_last().unwrap();
    assert_eq!(*oldest, waits);
    let expected: Vec<_> = posted.iter().rev().take(newest.len()).map(String::as_str).collect();
    assert_eq!(newest, expected);
    assert!(newest.len() >= 2, "{kept:?}");
}

#[tokio::test]
async fn a_subscription_may_keep_its_deliveries_for_a_shorter_time_than_its_space() {
    let receiver = Receiver::start().await;
    let mut host = TestHost::start().await;
    host.subscribe(&receiver.url("/"), json!({"keep_days": 2})).await;
    host.post("deal.won", "{}").await;
    host.settle().await;
    host.advance(3 * DAY).await;
    assert_eq!(host.forget().await, 1);
    assert_eq!((count(&host, "events").await, count(&host, "deliveries").await), (1, 0));
}
