//! Quotas of spaces and rates of keys, with a clock that the tests move.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::host::TestHost;

const QUOTAS: &str = "/v1/spaces/acme/quotas";

/// Posts an event with this key; returns the status and the seconds of `Retry-After`.
async fn post(host: &TestHost, space: &str, key: &str) -> (u16, Option<String>) {
    let request = Client::new().post(format!("{}/v1/spaces/{space}/events", host.base)).bearer_auth(key);
    let body = json!({"type": "deal.won", "data": {}}).to_string();
    let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), retry_after)
}

#[tokio::test]
async fn events_beyond_a_rate_are_refused_until_it_is_kept_again_and_other_spaces_are_not() {
    let host = TestHost::start().await;
    host.ok(Method::POST, "/v1/spaces", json!({"id": "other"})).await;
    host.ok(Method::PATCH, QUOTAS, json!({"events_per_s": 3})).await;
    for _ in 0..3 {
        assert_eq!(post(&host, "acme", &host.key).await, (202, None));
    }
    assert_eq!(post(&host, "acme", &host.key).await, (429, Some("1".to_owned())));
    assert_eq!(post(&host, "other", &host.key).await, (202, None));
    host.clock.advance(Duration::from_secs(1));
    assert_eq!(post(&host, "acme", &host.key).await, (202, None));
    let used = host.ok(Method::GET, QUOTAS, Value::Null).await;
    assert_eq!(used["events_per_s"], json!({"limit": 3, "used": 1}));
    assert_eq!(used["deliveries_per_s"], json!({"limit": null, "used": 0}));
    let metrics = Client::new().get(format!("{}/metrics", host.base)).send().await.unwrap().text().await.unwrap();
    for line in [
        "hookmill_space_events_total{space=\"acme\"} 4",
        "hookmill_space_events_total{space=\"other\"} 1",
        "hookmill_space_refusals_total{space=\"acme\"} 1",
    ] {
        assert!(metrics.lines().any(|has| has == line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn a_request_that_exceeds_a_rate_is_accepted_once_and_its_excess_is_waited_out() {
    let host = TestHost::start().await;
    host.subscribe("https://hooks.example.com/1", json!({})).await;
    host.subscribe("https://hooks.example.com/2", json!({})).await;
    host.ok(Method::PATCH, QUOTAS, json!({"deliveries_per_s": 10})).await;
    host.post_lines(&"{\"type\":\"deal.won\",\"data\":{}}\n".repeat(20)).await;
    // 40 deliveries of 10: 30 in debt, and one more is needed.
    assert_eq!(post(&host, "acme", &host.key).await, (429, Some("4".to_owned())));
    host.clock.advance(Duration::from_millis(3_100));
    assert_eq!(post(&host, "acme", &host.key).await.0, 202);
}

#[tokio::test]
async fn a_quota_of_a_day_is_released_evenly_over_a_day() {
    let host = TestHost::start().await;
    host.ok(Method::PATCH, QUOTAS, json!({"events_per_day": 24})).await;
    host.post_lines(&"{\"type\":\"deal.won\",\"data\":{}}\n".repeat(24)).await;
    assert_eq!(post(&host, "acme", &host.key).await, (429, Some("3600".to_owned())));
    host.clock.advance(Duration::from_secs(3_600));
    assert_eq!(post(&host, "acme", &host.key).await.0, 202);
    assert_eq!(post(&host, "acme", &host.key).await.0, 429);
}

#[tokio::test]
async fn what_is_counted_is_refused_beyond_its_quota_which_names_itself() {
    let host = TestHost::start().await;
    let quotas = json!({"subscriptions": 1, "keys": 1, "administrators": 1, "plugins": 1});
    host.ok(Method::PATCH, QUOTAS, quotas).await;
    host.subscribe("https://hooks.example.com/1", json!({})).await;
    let key = json!({"name": "k", "role": "manage", "space": "acme"});
    let manager = host.ok(Method::POST, "/v1/keys", key.clone()).await["key"].as_str().unwrap().to_owned();
    let second = json!({"name": "2", "url": "https://hooks.example.com/2", "event_types": ["*"]});
    for (path, body, quota) in
        [("/v1/spaces/acme/subscriptions", second.clone(), "subscriptions"), ("/v1/keys", key, "keys")]
    {
        let (status, problem) = host.call(Method::POST, path, body).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("quota_reached")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(quota), "{problem}");
    }
    let two = json!({"administrators": ["a@acme.example", "b@acme.example"]});
    assert_eq!(host.call(Method::PATCH, "/v1/spaces/acme", two).await.0.as_u16(), 422);
    // A manager of the space sees its quotas and cannot change them.
    let request = Client::new().patch(format!("{}{QUOTAS}", host.base)).bearer_auth(manager);
    let request = request.header("content-type", "application/json").body(json!({"keys": 9}).to_string());
    assert_eq!(request.send().await.unwrap().status().as_u16(), 403);
    // They outlive a restart, and null restores the default.
    let host = host.restart().await;
    let used = host.ok(Method::GET, QUOTAS, Value::Null).await;
    assert_eq!(used["subscriptions"], json!({"limit": 1, "used": 1}));
    assert_eq!(used["keys"], json!({"limit": 1, "used": 1}));
    host.ok(Method::PATCH, QUOTAS, json!({"subscriptions": null})).await;
    host.ok(Method::POST, "/v1/spaces/acme/subscriptions", second).await;
    for wrong in [json!({"subscriptions": 0}), json!({"events_per_s": 1.5}), json!({"bytes": 1})] {
        let (status, problem) = host.call(Method::PATCH, QUOTAS, wrong).await;
        assert_eq!(status.as_u16(), 422, "{problem}");
    }
}

#[tokio::test]
async fn a_key_with_a_rate_is_refused_beyond_it_and_another_key_is_not() {
    let host = TestHost::start().await;
    let key = json!({"name": "k", "role": "produce", "space": "acme", "requests_per_s": 2});
    let made = host.ok(Method::POST, "/v1/keys", key).await;
    assert_eq!(made["requests_per_s"], 2);
    let key = made["key"].as_str().unwrap();
    let posted = [post(&host, "acme", key).await.0, post(&host, "acme", key).await.0, post(&host, "acme", key).await.0];
    assert_eq!(posted, [202, 202, 429]);
    assert_eq!(post(&host, "acme", &host.key).await.0, 202);
    let host = host.restart().await;
    host.clock.advance(Duration::from_secs(1));
    assert_eq!(post(&host, "acme", key).await.0, 202);
}

#[tokio::test]
async fn beyond_its_stored_bytes_a_space_accepts_no_events_until_some_are_gone() {
    let host = TestHost::start().await;
    host.ok(Method::PATCH, QUOTAS, json!({"stored_bytes": 6_000_000_000_u64})).await;
    let data = json!("x".repeat(998)).to_string();
    let first = host.post("deal.won", &data).await["id"].as_str().unwrap().to_owned();
    let used = host.ok(Method::GET, QUOTAS, Value::Null).await;
    assert_eq!(used["stored_bytes"], json!({"limit": 6_000_000_000_u64, "used": 1_000}));
    host.ok(Method::PATCH, QUOTAS, json!({"stored_bytes": 1_000})).await;
    assert_eq!(post(&host, "acme", &host.key).await, (429, Some("60".to_owned())));
    let body = json!({"type": "deal.won", "data": {}}).to_string();
    let (_, answer) = host.call(Method::POST, "/v1/spaces/acme/events", body).await;
    assert_eq!(answer["code"], "quota_exceeded");
    assert!(answer["detail"].as_str().unwrap().contains("`stored_bytes` of 1000"), "{answer}");
    let metrics = Client::new().get(format!("{}/metrics", host.base)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.lines().any(|line| line == "hookmill_space_stored_bytes{space=\"acme\"} 1000"), "{metrics}");
    host.ok(Method::POST, "/v1/spaces/acme/erasures", json!({"event": first})).await;
    hookmill_server::erasure::run_once(&host.host).await.unwrap();
    assert_eq!(post(&host, "acme", &host.key).await.0, 202);
}
