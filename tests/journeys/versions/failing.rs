//! What follows when a plugin fails, as its subscription wants it.

use std::time::Duration;

use hookmill_guests::ROGUE;
use reqwest::Method;
use serde_json::{Value, json};

use super::{made, patch, subscribe, upload};
use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

/// Configurations with which `made` fails: by its own word, asking for another try, and by a trap.
const FAILS: &str = "no";
const FAILS_FOR_NOW: i32 = 1;

fn traps() -> Value {
    json!([])
}

async fn post(host: &mut TestHost) {
    host.post("deal.won", r#"{"value":12.50}"#).await;
    host.settle().await;
}

/// The last delivery's state and how many attempts it had.
async fn outcome(host: &TestHost) -> (String, usize) {
    let list = host.ok(Method::GET, "/v1/spaces/acme/deliveries?limit=1", Value::Null).await;
    let delivery = host.delivery_of(list["data"][0]["id"].as_str().unwrap()).await;
    (delivery["state"].as_str().unwrap().to_owned(), delivery["attempts"].as_array().unwrap().len())
}

#[tokio::test]
async fn a_failure_is_final_unless_the_plugin_or_the_subscription_wants_another_try() {
    for (config, on_failure, state) in [
        (json!(FAILS), "fail", "failed"),
        (traps(), "fail", "failed"),
        (json!(FAILS_FOR_NOW), "fail", "pending"),
        (json!(FAILS), "retry", "pending"),
        (traps(), "retry", "pending"),
    ] {
        let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
        upload(&host, &["1.1.0"]).await;
        subscribe(&host, &receiver.url("/"), json!({"config": config, "on_failure": on_failure})).await;
        post(&mut host).await;
        assert_eq!(outcome(&host).await, (state.to_owned(), 1), "{config} {on_failure}");
        host.advance(Duration::from_secs(10)).await;
        host.advance(Duration::from_secs(20)).await;
        let attempts = if state == "pending" { 3 } else { 1 };
        assert_eq!(outcome(&host).await, ("failed".to_owned(), attempts), "{config} {on_failure}");
        assert!(receiver.requests().is_empty());
    }
}

#[tokio::test]
async fn the_default_shape_goes_out_instead_and_the_attempt_keeps_the_plugins_fault() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/", [Reply::status(500)]);
    upload(&host, &["1.1.0"]).await;
    for config in [json!(FAILS), json!(FAILS_FOR_NOW), traps()] {
        let path = subscribe(&host, &receiver.url("/"), json!({"config": config, "on_failure": "default_shape"})).await;
        post(&mut host).await;
        host.advance(Duration::from_secs(10)).await;
        assert_eq!(outcome(&host).await.0, "delivered");
        host.ok(Method::DELETE, &path, Value::Null).await;
    }
    let sent = receiver.requests();
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|request| request.text().ends_with(r#""data":{"value":12.50}}"#)), "{}", sent[0].text());
    // The retry of the first, which was refused.
    assert_eq!(sent[0].text(), sent[1].text());

    let list = host.ok(Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
    let first = host.delivery_of(list["data"][2]["id"].as_str().unwrap()).await;
    for attempt in first["attempts"].as_array().unwrap() {
        let fault = json!({"code": "failed", "message": "it broke", "retry": false});
        assert_eq!(attempt["plugin_fault"], fault);
        assert!(attempt["figures"]["fuel_used"].as_u64().unwrap() > 0 && attempt["plugin_digest"].is_string());
    }
    let [refused, delivered] = &first["attempts"].as_array().unwrap()[..] else { panic!("{first}") };
    assert_eq!((&refused["outcome"], &delivered["outcome"]), (&json!("rejected"), &json!("succeeded")));
    let trapped = host.delivery_of(list["data"][0]["id"].as_str().unwrap()).await;
    assert_eq!(trapped["attempts"][0]["plugin_fault"]["code"], "trapped");
}

#[tokio::test]
async fn what_the_plugin_logged_is_kept_when_the_default_shape_goes_out() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.upload(ROGUE).await;
    let plugin = json!({"name": "rogue", "config": "json:{", "on_failure": "default_shape"});
    host.subscribe(&receiver.url("/"), json!({"plugin": plugin})).await;
    post(&mut host).await;
    let attempt = &host.delivery().await["attempts"][0];
    assert_eq!((&attempt["outcome"], &attempt["fault"]), (&json!("succeeded"), &Value::Null));
    assert_eq!(attempt["plugin_fault"]["code"], "invalid_output");
    assert_eq!(attempt["logs"][0]["message"], "told to json");
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn without_a_fault_there_is_none_beside_the_outcome() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    upload(&host, &["1.1.0"]).await;
    subscribe(&host, &receiver.url("/"), json!({"on_failure": "default_shape"})).await;
    post(&mut host).await;
    assert_eq!(receiver.take(1).await[0].text(), r#"{"a":1}"#);
    assert_eq!(host.delivery().await["attempts"][0]["plugin_fault"], Value::Null);
}

#[tokio::test]
async fn a_diagnosis_tells_that_the_default_shape_goes_out_and_that_a_newer_version_does_not_fit() {
    let host = TestHost::start().await;
    upload(&host, &["1.1.0"]).await;
    let plugin = json!({"version": "^1", "on_failure": "default_shape"});
    let path = subscribe(&host, "http://127.0.0.1:9/", plugin).await;
    let found = async || {
        let diagnosis = host.ok(Method::POST, &format!("{path}/diagnose"), Value::Null).await;
        let mut findings = diagnosis["findings"].as_array().unwrap().clone();
        findings.retain(|finding| finding["check"] == "plugin");
        findings.remove(0)
    };
    host.post("deal.won", "1").await;
    assert_eq!(found().await["result"], "ok");
    host.upload(made("1.2.0", r#"{"required":["b"]}"#)).await;
    let held_back = found().await;
    assert_eq!(held_back["result"], "warning");
    assert!(held_back["finding"].as_str().unwrap().contains("1.2.0: "), "{held_back}");
    patch(&host, &path, json!({"plugin": {"version": "1.1.0", "config": FAILS}})).await;
    let fails = found().await;
    assert_eq!(fails["result"], "problem");
    assert!(fails["finding"].as_str().unwrap().contains("the default shape is sent instead: it broke"), "{fails}");
}

/// A subscription's state, why it is paused, what led to that, and how many failures in a row its plugin had.
async fn doing(host: &TestHost, path: &str) -> (String, Value, String, u64) {
    let shown = host.ok(Method::GET, path, Value::Null).await;
    let text = |member: &str| shown[member].as_str().unwrap_or_default().to_owned();
    (text("state"), shown["pause_reason"].clone(), text("pause_detail"), shown["plugin_failures"].as_u64().unwrap())
}

#[tokio::test]
async fn failures_of_the_plugin_in_a_row_pause_its_subscription_with_the_last_ones_words() {
    for on_failure in ["fail", "retry", "default_shape"] {
        let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
        upload(&host, &["1.1.0"]).await;
        let plugin = json!({"config": FAILS, "on_failure": on_failure, "pause_after": 3});
        let path = subscribe(&host, &receiver.url("/"), plugin).await;
        for failures in 1..3 {
            post(&mut host).await;
            assert_eq!(doing(&host, &path).await, ("active".to_owned(), Value::Null, String::new(), failures));
        }
        post(&mut host).await;
        let detail = "the plugin failed 3 times in a row; last failure: it broke".to_owned();
        assert_eq!(doing(&host, &path).await, ("paused".to_owned(), json!("plugin_failures"), detail, 3));
        post(&mut host).await;
        let deliveries = host.ok(Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
        assert_eq!(deliveries["data"].as_array().unwrap().len(), 3, "events pass a paused one by");
        // Activated, it counts from the beginning.
        host.ok(Method::POST, &format!("{path}/activate"), Value::Null).await;
        assert_eq!(doing(&host, &path).await.3, 0);
    }
}

#[tokio::test]
async fn a_transform_that_works_ends_the_row_though_its_request_is_refused() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    host.upload(ROGUE).await;
    let plugin = |config: &str| json!({"plugin": {"name": "rogue", "config": config, "pause_after": 3}});
    let made = host.subscribe(&receiver.url("/"), plugin("fail:no")).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    post(&mut host).await;
    post(&mut host).await;
    assert_eq!(doing(&host, &path).await.3, 2);
    // Nor does what is no sign of how it is doing count.
    host.ok(Method::POST, &format!("{path}/test"), json!({"type": "deal.won", "data": 1})).await;
    host.settle().await;
    assert_eq!(doing(&host, &path).await.3, 2);
    // Failures of another configuration are not the new one's.
    patch(&host, &path, plugin("fail:still no")).await;
    assert_eq!(doing(&host, &path).await.3, 0);
    post(&mut host).await;
    assert_eq!(doing(&host, &path).await.3, 1);
    patch(&host, &path, json!({"plugin": {"pause_after": 4}, "name": "renamed"})).await;
    assert_eq!(doing(&host, &path).await.3, 1);
}

#[tokio::test]
async fn a_row_is_ended_by_each_event_that_the_plugin_shapes() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let jq = json!({"name": "jq", "config": {"program": "if .data.bad then error(\"bad\") else . end"},
        "pause_after": 2});
    let made = host.subscribe(&receiver.url("/"), json!({"plugin": jq, "retry": {"schedule_s": []}})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    for (data, failures) in [("{\"bad\":true}", 1), ("{}", 0), ("{\"bad\":true}", 1), ("{}", 0), ("{\"bad\":true}", 1)]
    {
        host.post("deal.won", data).await;
        host.settle().await;
        assert_eq!(doing(&host, &path).await.3, failures, "{data}");
    }
    host.post("deal.won", "{\"bad\":true}").await;
    host.settle().await;
    assert_eq!(doing(&host, &path).await.1, "plugin_failures");
}

#[tokio::test]
async fn administrators_and_subscriptions_are_told_of_a_pause_for_the_plugins_sake() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    upload(&host, &["1.1.0"]).await;
    let told = json!({"event_types": ["subscription.paused"], "name": "told"});
    host.subscribe(&receiver.url("/told"), told).await;
    subscribe(&host, &receiver.url("/"), json!({"config": FAILS, "pause_after": 1})).await;
    post(&mut host).await;
    let request = receiver.take(1).await.remove(0);
    assert_eq!(request.target, "/told");
    assert!(request.text().contains(r#""reason":"plugin_failures""#), "{}", request.text());
    assert!(request.text().contains("it broke"), "{}", request.text());
}
