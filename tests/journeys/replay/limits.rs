//! What a replay may ask for, and how much of the host it uses.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SECOND, numbers, pass, post, replay, show, subscribe};
use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

#[tokio::test]
async fn a_wrong_request_names_its_member() {
    let host = TestHost::start().await;
    let path = subscribe(&host, "https://hooks.example.com/", json!({})).await;
    let since = "2026-01-01T00:00:00Z";
    for (body, code, field) in [
        (json!({}), "field_missing", "/since"),
        (json!({"since": "yesterday"}), "field_invalid", "/since"),
        (json!({"since": since, "until": since}), "field_invalid", "/since"),
        (json!({"since": since, "until": "2999-01-01T00:00:00Z"}), "field_invalid", "/until"),
        (json!({"since": since, "what": "all"}), "field_invalid", "/what"),
        (json!({"since": since, "event_types": []}), "field_invalid", "/event_types"),
        (json!({"since": since, "event_types": ["a b"]}), "field_invalid", "/event_types/0"),
        (json!({"since": since, "condition": "event.data =="}), "field_invalid", "/condition"),
        (json!({"since": since, "deliveries_per_s": 0}), "field_invalid", "/deliveries_per_s"),
        (json!({"since": since, "deliveries_per_s": 1_001}), "field_invalid", "/deliveries_per_s"),
        (json!({"since": since, "what": "failed", "only_missing": true}), "field_invalid", "/only_missing"),
        (json!({"since": since, "speed": 1}), "field_unknown", "/speed"),
    ] {
        let (status, problem) = host.call(Method::POST, &format!("{path}/replays"), &body).await;
        assert_eq!(
            (status.as_u16(), &problem["code"], &problem["field"]),
            (422, &json!(code), &json!(field)),
            "{body} {problem}"
        );
    }
    let made = host.ok(Method::POST, &format!("{path}/replays"), json!({"since": since})).await;
    assert_eq!((&made["what"], &made["deliveries_per_s"]), (&json!("events"), &json!(100)));
    let (status, _) = host.call(Method::GET, &format!("{path}/replays/rpl_01K9ZQ4S1N8M0V6T3X5B7C2D4E"), "").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn four_replays_of_a_space_run_at_once_and_a_fifth_is_refused_until_one_ends() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    post(&host, "deal.won", 0..3).await;
    let subscription = subscribe(&host, &receiver.url("/"), json!({})).await;
    let mut paths = Vec::new();
    for _ in 0..4 {
        paths.push(replay(&host, &subscription, json!({"deliveries_per_s": 1})).await);
    }
    let body = json!({"since": "2026-01-01T00:00:00Z"});
    let list = format!("{subscription}/replays");
    let (status, problem) = host.call(Method::POST, &list, &body).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("quota_reached")), "{problem}");
    host.ok(Method::POST, &format!("{}/cancel", paths[0]), Value::Null).await;
    host.ok(Method::POST, &list, body.clone()).await;
    assert_eq!(host.call(Method::POST, &list, &body).await.0, 422);
    // Another space's are its own.
    host.ok(Method::POST, "/v1/spaces", json!({"id": "other"})).await;
    let other = json!({"name": "test", "url": receiver.url("/other"), "event_types": ["*"]});
    let other = host.ok(Method::POST, "/v1/spaces/other/subscriptions", other).await;
    let other = format!("/v1/spaces/other/subscriptions/{}/replays", other["id"].as_str().unwrap());
    host.ok(Method::POST, &other, body.clone()).await;
    for _ in 0..4 {
        pass(&mut host, SECOND).await;
    }
    assert_eq!(numbers(&receiver, "/").len(), 3 * 4);
    assert!(numbers(&receiver, "/other").is_empty());
    host.ok(Method::POST, &list, body).await;
}

#[tokio::test]
async fn a_replay_leaves_half_of_a_quota_of_deliveries_to_events() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    post(&host, "deal.won", 0..60).await;
    let subscription = subscribe(&host, &receiver.url("/"), json!({"in_flight_max": 1})).await;
    host.ok(Method::PATCH, "/v1/spaces/acme/quotas", json!({"deliveries_per_s": 20})).await;
    let path = replay(&host, &subscription, json!({})).await;
    pass(&mut host, SECOND / 1_000).await;
    pass(&mut host, SECOND / 50).await;
    assert_eq!(numbers(&receiver, "/").len(), 10);
    let shown = show(&host, &path).await;
    assert!(shown["reason"].as_str().unwrap().contains("quota of deliveries"), "{shown}");
    // The rest is for events.
    post(&host, "deal.won", 100..110).await;
    host.settle().await;
    assert_eq!(numbers(&receiver, "/").len(), 20);
    for _ in 0..8 {
        pass(&mut host, SECOND).await;
    }
    let mut all = numbers(&receiver, "/");
    all.sort_unstable();
    assert_eq!(all, (0..60).chain(100..110).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_replay_waits_for_a_receiver_that_cannot_keep_up() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.post_lines(&"{\"type\":\"deal.won\",\"data\":1}\n".repeat(3_000)).await;
    host.clock.advance(SECOND);
    receiver.otherwise(Reply::status(500));
    // One attempt a minute; the others wait.
    let slow = json!({"rate": {"count": 1, "per": "minute"}, "retry": {"schedule_s": []}});
    let subscription = subscribe(&host, &receiver.url("/"), slow).await;
    let path = replay(&host, &subscription, json!({})).await;
    for _ in 0..30 {
        pass(&mut host, SECOND).await;
    }
    let shown = show(&host, &path).await;
    assert_eq!(shown["reason"], "too many deliveries of the subscription are due");
    let made = shown["deliveries"].as_u64().unwrap();
    assert!((1_000..=1_250).contains(&made), "{shown}");
    let waiting: u32 = host.database().query_row("SELECT count(*) FROM waiting", [], |row| row.get(0)).unwrap();
    assert!(u64::from(waiting) <= made, "{waiting}");
}
