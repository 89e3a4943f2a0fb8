//! The profile `breakcold`, both generations: a subscription created with only a name, a URL and events behaves like
//! Breakcold.

mod newer;

use std::time::Duration;

use hookmill_server::subscriptions::profile::{self, CatalogEntry};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

const SECOND: Duration = Duration::from_secs(1);
const SUBSCRIPTIONS: &str = "/v1/spaces/acme/subscriptions";
const LEAD: &str = include_str!("../../../cli/src/demo/breakcold-lead.json");

/// Events of Breakcold.
fn catalog() -> &'static [CatalogEntry] {
    profile::find("breakcold").unwrap().event_types()
}

/// Creates a subscription with only its profile, name, URL and events, and `more`.
async fn subscribe(host: &TestHost, url: &str, more: Value) -> Value {
    let types: Vec<_> = catalog().iter().map(|entry| &entry.name).collect();
    let mut subscription = json!({"name": "Leads", "profile": "breakcold", "url": url, "event_types": types});
    subscription.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host.ok(Method::POST, SUBSCRIPTIONS, subscription).await
}

fn path(subscription: &Value) -> String {
    format!("{SUBSCRIPTIONS}/{}", subscription["id"].as_str().unwrap())
}

async fn read(host: &TestHost, subscription: &Value) -> Value {
    host.ok(Method::GET, &path(subscription), Value::Null).await
}

async fn secret(host: &TestHost, subscription: &Value) -> String {
    let shown = host.ok(Method::GET, &format!("{}/secret", path(subscription)), Value::Null).await;
    shown["secret"].as_str().unwrap().to_owned()
}

/// Posts leads one after the other; each delivery ends before the next begins.
async fn leads(host: &mut TestHost, count: usize) {
    for _ in 0..count {
        assert_eq!(host.post("lead.create", "{}").await["deliveries"], 1);
        host.settle().await;
    }
}

#[tokio::test]
async fn every_event_is_delivered_with_its_example() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = subscribe(&host, &receiver.url("/in"), json!({})).await;
    let secret = secret(&host, &subscription).await;
    assert_eq!(catalog().len(), 34);
    for entry in catalog() {
        let example = entry.example.to_string();
        host.post(entry.name.as_str(), &example).await;
        host.settle().await;
        let request = receiver.take(1).await.remove(0);
        let space = entry.example["id_space"].as_str().unwrap();
        let head = format!(r#"{{"id_space":"{space}","event":"{}","secret":"{secret}","payload":"#, entry.name);
        assert_eq!(request.text(), format!("{head}{example}}}"));
    }
}

#[tokio::test]
async fn the_body_has_id_space_event_secret_and_payload() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let secret = "wh_a46f35f22d9723a";
    subscribe(&host, &receiver.url("/in"), json!({"secret": secret})).await;
    host.post("lead.create", LEAD.trim()).await;
    host.post("lead.create", r#"{"value": 12.50, "n": 12345678901234567890}"#).await;
    host.settle().await;
    let mut bodies: Vec<_> = receiver.take(2).await.iter().map(|request| request.text().to_owned()).collect();
    bodies.sort();
    let rest = format!(r#""event":"lead.create","secret":"{secret}","payload":"#);
    let own = format!(r#"{{"id_space":"acme",{rest}{{"value": 12.50, "n": 12345678901234567890}}}}"#);
    let sample = format!(r#"{{"id_space":"eb8edc65-129a-4cb6-abbe-6bf8979c0658",{rest}{}}}"#, LEAD.trim());
    assert_eq!(bodies, [own, sample]);
}

#[tokio::test]
async fn a_request_with_the_secret_in_its_body_has_no_signature() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    subscribe(&host, &receiver.url("/in"), json!({})).await;
    leads(&mut host, 1).await;
    let request = receiver.take(1).await.remove(0);
    let signing = |name: &str| name.contains("signature") || name.contains("webhook");
    assert!(!request.headers.iter().any(|(name, _)| signing(name)), "{:?}", request.headers);
    assert_eq!(request.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn the_history_masks_the_secret_and_a_resend_carries_the_present_one() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = subscribe(&host, &receiver.url("/in"), json!({"secret": "wh_old"})).await;
    leads(&mut host, 1).await;
    let shown = host.delivery().await;
    let masked = r#"{"id_space":"acme","event":"lead.create","secret":"***","payload":{}}"#;
    assert_eq!(shown["attempts"][0]["request"]["body"], masked);
    host.ok(Method::POST, &format!("{}/rotate-secret", path(&subscription)), json!({"secret": "wh_new"})).await;
    let retry = format!("/v1/spaces/acme/deliveries/{}/resend", shown["id"].as_str().unwrap());
    host.ok(Method::POST, &retry, json!({"mode": "verbatim"})).await;
    host.settle().await;
    let bodies: Vec<_> = receiver.take(2).await.iter().map(|request| request.text().to_owned()).collect();
    assert_eq!(bodies, [masked.replace("***", "wh_old"), masked.replace("***", "wh_new")]);
    assert_eq!(host.delivery().await["attempts"][1]["request"]["body"], masked);
}

#[tokio::test]
async fn a_failed_delivery_is_not_retried() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    subscribe(&host, &receiver.url("/in"), json!({})).await;
    leads(&mut host, 1).await;
    assert_eq!(host.delivery().await["state"], "failed");
    host.advance(7 * 24 * 3_600 * SECOND).await;
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn ten_failed_deliveries_in_a_row_pause_the_endpoint() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = subscribe(&host, &receiver.url("/in"), json!({})).await;
    receiver.otherwise(Reply::status(500));
    leads(&mut host, 9).await;
    assert_eq!(read(&host, &subscription).await["state"], "active");
    leads(&mut host, 1).await;
    let paused = read(&host, &subscription).await;
    assert_eq!((&paused["state"], &paused["pause_reason"]), (&json!("paused"), &json!("failures")));
    let detail = "10 deliveries in a row failed; last failure: the receiver answered 500";
    assert_eq!(paused["pause_detail"], detail);
    assert_eq!(host.post("lead.create", "{}").await["deliveries"], 0);
}

#[tokio::test]
async fn a_success_resets_the_count_of_failures() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = subscribe(&host, &receiver.url("/in"), json!({})).await;
    let failures = || std::iter::repeat_n(Reply::status(500), 9);
    receiver.script("/in", failures().chain([Reply::status(200)]).chain(failures()));
    leads(&mut host, 19).await;
    let still = read(&host, &subscription).await;
    assert_eq!((&still["state"], &still["failed_deliveries"]), (&json!("active"), &json!(9)));
    receiver.script("/in", [Reply::status(500)]);
    leads(&mut host, 1).await;
    assert_eq!(read(&host, &subscription).await["state"], "paused");
}

#[tokio::test]
async fn activation_resumes_held_deliveries() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = subscribe(&host, &receiver.url("/in"), json!({"delay_s": 60})).await;
    receiver.script("/in", std::iter::repeat_n(Reply::status(500), 10));
    for _ in 0..10 {
        host.post("lead.create", "{}").await;
    }
    host.advance(30 * SECOND).await;
    host.post("lead.update", "{}").await;
    host.advance(30 * SECOND).await;
    assert_eq!(read(&host, &subscription).await["state"], "paused");
    host.advance(30 * SECOND).await;
    let held = host.ok(Method::GET, "/v1/spaces/acme/deliveries?state=held", Value::Null).await;
    assert_eq!(held["data"].as_array().unwrap().len(), 1);
    receiver.take(10).await;

    let active = host.ok(Method::POST, &format!("{}/activate", path(&subscription)), Value::Null).await;
    assert_eq!((&active["state"], &active["pause_reason"]), (&json!("active"), &Value::Null));
    host.settle().await;
    assert!(receiver.take(1).await[0].text().contains("lead.update"));
    assert_eq!(read(&host, &subscription).await["failed_deliveries"], 0);
    assert_eq!(host.post("lead.create", "{}").await["deliveries"], 1);
}

#[tokio::test]
async fn there_is_no_third_generation() {
    let host = TestHost::start().await;
    let third = json!({"name": "Leads", "profile": "breakcold", "generation": 3, "url": "http://127.0.0.1:1/",
        "event_types": ["lead.create"]});
    let (status, problem) = host.call(Method::POST, SUBSCRIPTIONS, third).await;
    assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("/generation")), "{problem}");
}
