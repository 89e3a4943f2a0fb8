//! Rogue plugins beside a healthy one, through the whole host.

use std::time::{Duration, Instant};

use hookmill_guests::ROGUE;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::Receiver;

/// What each is told to do, the fault that must be recorded, and a word of its message.
const ROGUES: [(&str, &str, &str); 11] = [
    ("spin", "out_of_fuel", "fuel"),
    ("hog", "out_of_memory", "memory"),
    ("recurse", "stack_overflow", "too deep"),
    ("panic-hook:it broke", "trapped", ""),
    ("huge:8000000", "output_too_large", ""),
    ("utf8", "invalid_output", "UTF-8"),
    ("json:{", "invalid_output", "JSON"),
    ("header:Host=example.org", "forbidden_header", "Host"),
    ("header:Webhook-Signature=v1,x", "forbidden_header", "Webhook-Signature"),
    ("header:x-a=b\\r\\nx-c: d", "forbidden_header", ""),
    ("flood", "out_of_fuel", "fuel"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rogue_is_recorded_and_a_healthy_subscription_beside_them_loses_nothing() {
    const EVENTS: usize = 5;
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.upload(ROGUE).await;
    for (number, (told, _, _)) in ROGUES.iter().enumerate() {
        let plugin = json!({"name": "rogue", "config": told});
        host.subscribe(&receiver.url(&format!("/rogue/{number}")), json!({"name": told, "plugin": plugin})).await;
    }
    host.subscribe(&receiver.url("/healthy"), json!({"plugin": {"name": "rogue", "config": "echo"}})).await;
    for _ in 0..EVENTS {
        host.post("deal.created", r#"{"value":12.50}"#).await;
    }
    let start = Instant::now();
    host.settle().await;
    println!("{} rogue transforms took {:?}", ROGUES.len() * EVENTS, start.elapsed());
    // Each within its own limit, one after the other.
    let limit = Duration::from_millis(host.host.config.plugin.wall_clock_ms_max);
    assert!(start.elapsed() < limit * (ROGUES.len() * EVENTS) as u32);

    let healthy = receiver.requests();
    assert_eq!(healthy.len(), EVENTS);
    assert!(healthy.iter().all(|request| request.target == "/healthy" && request.text() == r#"{"value":12.50}"#));
    let subscriptions = host.ok(Method::GET, "/v1/spaces/acme/subscriptions", Value::Null).await;
    for subscription in subscriptions["data"].as_array().unwrap() {
        let told = subscription["name"].as_str().unwrap();
        let Some((_, fault, word)) = ROGUES.iter().find(|(rogue, _, _)| *rogue == told) else { continue };
        let path = format!("/v1/spaces/acme/deliveries?subscription={}", subscription["id"].as_str().unwrap());
        let deliveries = host.ok(Method::GET, &path, Value::Null).await;
        assert_eq!(deliveries["data"].as_array().unwrap().len(), EVENTS);
        let delivery = host.delivery_of(deliveries["data"][0]["id"].as_str().unwrap()).await;
        assert_eq!(delivery["state"], "failed", "{told}");
        let attempt = &delivery["attempts"][0];
        assert_eq!((&attempt["outcome"], &attempt["fault"]), (&json!("plugin_failed"), &json!(fault)), "{told}");
        assert!(attempt["reason"].as_str().unwrap().contains(word), "{told}: {}", attempt["reason"]);
        let told_to = format!("told to {}", told.split(':').next().unwrap());
        assert_eq!(attempt["logs"][0]["message"], told_to, "the log is lost");
    }
}
