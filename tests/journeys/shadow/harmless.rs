//! A shadow that misbehaves changes nothing of what is sent.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{counts, known, rogue, start};
use crate::support::host::TestHost;
use crate::support::receiver::{Received, Reply};

const EVENTS: usize = 5;

/// What each is told to do, and the fault that is counted.
const ROGUES: [(&str, &str); 6] = [
    ("spin", "out_of_fuel"),
    ("panic:it broke", "trapped"),
    ("fail:no", "failed"),
    ("hog", "out_of_memory"),
    ("huge:8000000", "output_too_large"),
    ("flood", "out_of_fuel"),
];

/// Method, headers and body.
type Came = (String, Vec<(String, String)>, Vec<u8>);

/// What came to this path, without what is each delivery's or the network's own.
fn came(requests: &[Received], path: &str) -> Vec<Came> {
    let own = ["host", "webhook-id", "webhook-signature", "x-delivery"];
    let common = |request: &Received| {
        let headers = request.headers.iter().filter(|(name, _)| !own.contains(&name.as_str())).cloned().collect();
        (request.method.clone(), headers, request.body.clone())
    };
    let mut came: Vec<_> = requests.iter().filter(|request| request.target == path).map(common).collect();
    came.sort();
    came
}

/// The history of a subscription's deliveries, without their ids and what was measured.
async fn history(host: &TestHost, subscription: &Value) -> Vec<Value> {
    let path = format!("/v1/spaces/acme/deliveries?subscription={}", subscription["id"].as_str().unwrap());
    let list = host.ok(Method::GET, &path, Value::Null).await;
    let mut all = Vec::new();
    for delivery in list["data"].as_array().unwrap() {
        let mut delivery = host.delivery_of(delivery["id"].as_str().unwrap()).await;
        for attempt in delivery["attempts"].as_array_mut().unwrap() {
            for measured in ["transform_us", "send_us", "figures", "request", "answer"] {
                attempt.as_object_mut().unwrap().remove(measured);
            }
        }
        for own in ["id", "subscription_id"] {
            delivery.as_object_mut().unwrap().remove(own).unwrap();
        }
        all.push(delivery);
    }
    all.sort_by_key(ToString::to_string);
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_shadow_does_wrong_is_counted_and_changes_nothing_of_what_is_sent() {
    let (mut host, receiver, _) = start(rogue("echo")).await;
    // First attempts are refused: the retries come as late as without a shadow.
    let retry = json!({"schedule_s": [60], "jitter_percent": 0});
    let more = |path: &str| json!({"name": path, "plugin": rogue("header:x-a=1"), "retry": retry});
    let plain = host.subscribe(&receiver.url("/plain"), more("plain")).await;
    let mut shadowed = Vec::new();
    for (number, (word, fault)) in ROGUES.iter().enumerate() {
        let path = format!("/{number}");
        let made = host.subscribe(&receiver.url(&path), more(&path)).await;
        let shadow = format!("/v1/spaces/acme/subscriptions/{}/shadow", made["id"].as_str().unwrap());
        host.ok(Method::PUT, &shadow, json!({"config": word})).await;
        receiver.script(&path, vec![Reply::status(500); EVENTS]);
        shadowed.push((path, made, shadow, fault));
    }
    receiver.script("/plain", vec![Reply::status(500); EVENTS]);

    // The worker runs beside the deliveries, as in a real host.
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(hookmill_server::dry_run::shadow::run(host.host.clone(), shutdown.clone()));
    for n in 0..EVENTS {
        host.post("deal.won", &format!(r#"{{"n":{n},"value":12.50}}"#)).await;
    }
    host.settle().await;
    host.advance(Duration::from_secs(60)).await;
    let requests = receiver.requests();
    shutdown.cancel();
    worker.await.unwrap();

    let expected = came(&requests, "/plain");
    assert_eq!(expected.len(), 2 * EVENTS);
    let expected_history = history(&host, &plain).await;
    for (path, made, shadow, fault) in &shadowed {
        assert_eq!(came(&requests, path), expected, "{fault}");
        assert_eq!(history(&host, made).await, expected_history, "{fault}");
        let known = known(&host, shadow).await;
        // What the worker was running when it was stopped is in no count.
        let runs = known["runs"].as_u64().unwrap();
        assert!((EVENTS as u64 - 1..=EVENTS as u64).contains(&runs), "{known}");
        assert_eq!(known["failed"], json!({(**fault): runs}));
        assert_eq!(counts(&known), [runs, 0, runs, 0, 0]);
    }
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_left_out_and_counted() {
    let (mut host, receiver, path) = start(rogue("method:POST")).await;
    host.ok(Method::PUT, &path, json!({"config": "method:POST"})).await;
    let other = host.subscribe(&receiver.url("/other"), json!({"plugin": rogue("method:POST")})).await;
    let other = format!("/v1/spaces/acme/subscriptions/{}/shadow", other["id"].as_str().unwrap());
    host.ok(Method::PUT, &other, json!({"config": "method:PUT"})).await;
    let lines: Vec<_> = (0..300).map(|n| format!(r#"{{"type":"deal.won","data":{n}}}"#)).collect();
    host.post_lines(&lines.join("\n")).await;
    host.settle().await;
    receiver.take(600).await;
    // Each subscription has a share of its own.
    assert_eq!(counts(&known(&host, &path).await), [256, 256, 0, 0, 44]);
    assert_eq!(counts(&known(&host, &other).await), [256, 0, 256, 0, 44]);
    host.post("deal.won", "1").await;
    host.settle().await;
    assert_eq!(counts(&known(&host, &path).await), [257, 257, 0, 0, 44], "there is room again");
}
