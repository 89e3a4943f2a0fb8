//! The profile `livespace`: a subscription created with only a name, a URL and events behaves like Livespace.

mod activation;
mod workflows;

use std::time::Duration;

use hookmill_server::subscriptions::profile;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver, Reply};
use crate::support::signature::hex_sha256;

const SECOND: Duration = Duration::from_secs(1);
const SUBSCRIPTIONS: &str = "/v1/spaces/acme/subscriptions";

/// A host and a receiver whose certificate it trusts: the URL must be https.
async fn start() -> (TestHost, Receiver) {
    let receiver = Receiver::start_tls().await;
    let certificate = receiver.certificate();
    let host = TestHost::start_with(|config| config.send.trusted_certificates = Some(certificate)).await;
    (host, receiver)
}

/// Event types of a subscription to both events.
fn plain(url: &str) -> Value {
    json!({"name": "Deals", "profile": "livespace", "url": url, "event_types": ["deal.created", "deal.status_changed"]})
}

/// Creates a subscription with only its profile, name, URL and events, and `more`.
async fn subscribe(host: &TestHost, url: &str, more: Value) -> Value {
    let mut subscription = plain(url);
    subscription.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host.ok(Method::POST, SUBSCRIPTIONS, subscription).await
}

/// Like `subscribe`, and takes the handshake's request from the receiver.
async fn subscribed(host: &TestHost, receiver: &Receiver, path: &str, more: Value) -> Value {
    let subscription = subscribe(host, &receiver.url(path), more).await;
    assert_eq!(subscription["state"], "active", "{subscription}");
    receiver.take(1).await;
    subscription
}

fn path(subscription: &Value) -> String {
    format!("{SUBSCRIPTIONS}/{}", subscription["id"].as_str().unwrap())
}

async fn read(host: &TestHost, subscription: &Value) -> Value {
    host.ok(Method::GET, &path(subscription), Value::Null).await
}

async fn activate(host: &TestHost, subscription: &Value) -> (StatusCode, Value) {
    host.call(Method::POST, &format!("{}/activate", path(subscription)), "").await
}

async fn secret(host: &TestHost, subscription: &Value) -> String {
    let shown = host.ok(Method::GET, &format!("{}/secret", path(subscription)), Value::Null).await;
    shown["secret"].as_str().unwrap().to_owned()
}

/// The catalog's example of a deal.
fn deal() -> String {
    profile::find("livespace").unwrap().event_types()[0].example.to_string()
}

fn body(request: &Received) -> Value {
    serde_json::from_str(request.text()).unwrap()
}

/// Posts a deal and takes the single resulting request.
async fn sent(host: &mut TestHost, receiver: &Receiver, data: &str) -> Received {
    assert_eq!(host.post("deal.created", data).await["deliveries"], 1);
    host.settle().await;
    receiver.take(1).await.remove(0)
}

#[tokio::test]
async fn each_event_is_one_delivery_of_the_subscription() {
    let (mut host, receiver) = start().await;
    subscribed(&host, &receiver, "/in", json!({})).await;
    let mut ids = Vec::new();
    for kind in ["deal.created", "deal.status_changed", "deal.created"] {
        host.post(kind, &deal()).await;
        host.settle().await;
        let request = receiver.take(1).await.remove(0);
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/in"));
        assert_eq!(body(&request)["name"], kind);
        ids.push(body(&request)["id"].to_string());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each message has an id of its own");
}

#[tokio::test]
async fn only_the_selected_events_are_sent() {
    let (mut host, receiver) = start().await;
    subscribed(&host, &receiver, "/in", json!({"event_types": ["deal.created"]})).await;
    assert_eq!(host.post("deal.status_changed", &deal()).await["deliveries"], 0);
    assert_eq!(host.post("contact.created", &deal()).await["deliveries"], 0);
    assert_eq!(body(&sent(&mut host, &receiver, &deal()).await)["name"], "deal.created");
}

#[tokio::test]
async fn the_list_shows_activity_name_url_events_and_when_it_last_fired() {
    let (mut host, receiver) = start().await;
    subscribed(&host, &receiver, "/in", json!({})).await;
    host.clock.advance(SECOND);
    subscribe(&host, &receiver.url("/later"), json!({"name": "Later", "state": "draft"})).await;
    let before = host.clock.now();
    sent(&mut host, &receiver, &deal()).await;
    host.advance(60 * SECOND).await;
    let list = host.ok(Method::GET, SUBSCRIPTIONS, Value::Null).await;
    let columns = ["state", "name", "url", "event_types", "last_triggered_at"];
    let rows: Vec<_> = list["data"].as_array().unwrap().iter().map(|row| columns.map(|column| &row[column])).collect();
    let (types, url) = (json!(["deal.created", "deal.status_changed"]), |path: &str| json!(receiver.url(path)));
    assert_eq!(rows[0], [&json!("active"), &json!("Deals"), &url("/in"), &types, &json!(before.to_string())]);
    assert_eq!(rows[1], [&json!("draft"), &json!("Later"), &url("/later"), &types, &Value::Null]);
}

#[tokio::test]
async fn the_url_must_be_https() {
    let host = TestHost::start().await;
    let (status, problem) = host.call(Method::POST, SUBSCRIPTIONS, plain("http://127.0.0.1:1/")).await;
    assert_eq!((status.as_u16(), &problem["field"]), (422, &json!("/url")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("must start with https://"), "{problem}");
    let mut draft = plain("https://127.0.0.1:1/");
    draft["state"] = json!("draft");
    let draft = host.ok(Method::POST, SUBSCRIPTIONS, draft).await;
    let (status, problem) = host.call(Method::PATCH, &path(&draft), r#"{"url":"http://127.0.0.1:1/"}"#).await;
    assert_eq!((status.as_u16(), &problem["field"]), (422, &json!("/url")), "{problem}");
}

#[tokio::test]
async fn a_deal_is_sent_with_all_its_fields() {
    let (mut host, receiver) = start().await;
    subscribed(&host, &receiver, "/in", json!({})).await;
    let request = sent(&mut host, &receiver, &deal()).await;
    assert!(request.text().ends_with(&format!(r#","data":{}}}"#, deal())), "{}", request.text());
    let data = &body(&request)["data"];
    for part in ["id", "name", "status", "owners", "value", "products", "costs", "tags"] {
        assert!(!data[part].is_null(), "{part}");
    }
    for system in ["created_at", "updated_at", "created_by", "process", "stage"] {
        assert!(data.get(system).is_some(), "{system}");
    }
    assert_eq!(data["custom_fields"]["invoice_email"], "invoices@example.com");
}

#[tokio::test]
async fn the_subscription_selects_the_fields_of_a_deal() {
    let (mut host, receiver) = start().await;
    let fields = json!({"include": ["$.id", "$.value", "$.custom_fields.invoice_email"]});
    subscribed(&host, &receiver, "/some", json!({"fields": fields})).await;
    let request = sent(&mut host, &receiver, &deal()).await;
    let id = "5b8f2a4e-9c1d-4f6e-8a27-3d0c9b7e1f55";
    let data =
        format!(r#""data":{{"id":"{id}","value":12.50,"custom_fields":{{"invoice_email":"invoices@example.com"}}}}}}"#);
    assert!(request.text().ends_with(&data), "{}", request.text());
}

#[tokio::test]
async fn a_delivery_succeeds_with_200_and_with_204_and_with_nothing_else() {
    for (status, state) in
        [(200, "delivered"), (204, "delivered"), (201, "pending"), (302, "pending"), (500, "pending")]
    {
        let (mut host, receiver) = start().await;
        subscribed(&host, &receiver, "/in", json!({})).await;
        receiver.script("/in", [Reply::status(status)]);
        sent(&mut host, &receiver, &deal()).await;
        assert_eq!(host.delivery().await["state"], state, "{status}");
    }
}

#[tokio::test]
async fn the_answer_must_come_within_3_seconds() {
    let (mut host, receiver) = start().await;
    let subscription = subscribed(&host, &receiver, "/in", json!({})).await;
    assert_eq!(subscription["timeout_ms"], 3_000);
    // One second stands for three: this wait is real.
    host.ok(Method::PATCH, &path(&subscription), json!({"timeout_ms": 1_000})).await;
    receiver.script("/in", [Reply::Hang]);
    sent(&mut host, &receiver, &deal()).await;
    let delivery = host.delivery().await;
    assert_eq!((&delivery["state"], &delivery["attempts"][0]["fault"]), (&json!("pending"), &json!("timeout")));
}

#[tokio::test]
async fn a_failed_delivery_is_retried_twice_at_short_intervals() {
    let (mut host, receiver) = start().await;
    subscribed(&host, &receiver, "/in", json!({})).await;
    receiver.otherwise(Reply::status(500));
    sent(&mut host, &receiver, &deal()).await;
    for wait_s in [5, 15] {
        host.advance((wait_s - 1) * SECOND).await;
        assert_eq!(host.delivery().await["state"], "pending");
        let before = receiver.requests().len();
        host.advance(SECOND).await;
        assert_eq!(receiver.requests().len(), before + 1);
    }
    let delivery = host.delivery().await;
    assert_eq!((&delivery["state"], &delivery["attempt_count"]), (&json!("failed"), &json!(3)));
    host.advance(24 * 3_600 * SECOND).await;
    assert_eq!(receiver.requests().len(), 1 + 3, "the handshake and three tries");
}

#[tokio::test]
async fn a_delivery_without_a_confirmation_is_retried_with_the_same_id() {
    let (mut host, receiver) = start().await;
    subscribed(&host, &receiver, "/in", json!({})).await;
    receiver.script("/in", [Reply::Close]);
    let first = sent(&mut host, &receiver, &deal()).await;
    host.advance(5 * SECOND).await;
    let second = receiver.take(1).await.remove(0);
    assert_eq!(body(&first)["id"], body(&second)["id"]);
    assert_eq!(host.delivery().await["state"], "delivered");
}

#[tokio::test]
async fn a_failed_event_does_not_hold_up_the_next_one() {
    let (mut host, receiver) = start().await;
    subscribed(&host, &receiver, "/in", json!({})).await;
    receiver.script("/in", [Reply::status(500)]);
    sent(&mut host, &receiver, r#"{"n":1}"#).await;
    sent(&mut host, &receiver, r#"{"n":2}"#).await;
    host.advance(5 * SECOND).await;
    let again = receiver.take(1).await.remove(0);
    assert_eq!(body(&again)["data"]["n"], 1, "the first arrives after the second");
    assert_eq!(body(&again)["webhook_delivery_attempt"], 2);
}

#[tokio::test]
async fn every_request_is_signed_over_its_whole_url_and_body() {
    let (mut host, receiver) = start().await;
    let query = json!([{"name": "type", "value": "{event.type}"}]);
    let url = receiver.url("/in?key=a%20b");
    let subscription = subscribe(&host, &url, json!({"query": query})).await;
    sent(&mut host, &receiver, &deal()).await;
    let secret = secret(&host, &subscription).await;
    let requests = receiver.requests();
    assert_eq!(requests[1].target, "/in?key=a%20b&type=deal.created");
    // The handshake's request among them.
    for request in requests {
        let url = receiver.url(&request.target);
        let signature = hex_sha256(&secret, &[url.as_bytes(), &request.body]);
        assert_eq!(request.header("x-livespace-signature"), Some(signature.as_str()), "{url}");
    }
}

#[tokio::test]
async fn the_body_is_exactly_livespaces() {
    let (mut host, receiver) = start().await;
    subscribed(&host, &receiver, "/in", json!({})).await;
    receiver.otherwise(Reply::status(500));
    let event = format!(r#"{{"type":"deal.created","occurred_at":"2026-04-29T13:13:55.021+02:00","data":{}}}"#, deal());
    host.call(Method::POST, "/v1/spaces/acme/events", event).await;
    host.settle().await;
    host.advance(5 * SECOND).await;
    host.advance(15 * SECOND).await;
    let requests = receiver.take(3).await;
    let id = body(&requests[0])["id"].as_str().unwrap().to_owned();
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id} is a UUID");
    for (number, request) in (1..).zip(requests) {
        let head = format!(
            r#"{{"version":"1.0","name":"deal.created","id":"{id}","timestamp":"2026-04-29T11:13:55.021Z","webhook_delivery_attempt":{number},"data":"#
        );
        assert_eq!(request.text(), format!("{head}{}}}", deal()));
        assert_eq!(request.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn an_identical_subscription_is_a_conflict_that_names_the_other() {
    let (host, receiver) = start().await;
    let first = subscribed(&host, &receiver, "/in", json!({})).await;
    let mut second = plain(&receiver.url("/in"));
    second["event_types"] = json!(["deal.status_changed", "deal.created"]);
    let (status, problem) = host.call(Method::POST, SUBSCRIPTIONS, &second).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("subscription_identical")), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`Deals`") && detail.contains(first["id"].as_str().unwrap()), "{detail}");
    assert!(detail.contains("same events to the same URL"), "{detail}");
    let (status, _) = host.call(Method::POST, &format!("{SUBSCRIPTIONS}?allow_identical=true"), second).await;
    assert_eq!(status.as_u16(), 201);
}
