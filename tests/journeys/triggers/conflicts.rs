//! What two subscriptions of a space cannot both be.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, create, deliveries};
use crate::support::host::TestHost;

fn fields(fields: &[&str]) -> Value {
    json!({"fields": fields})
}

fn path(made: &Value) -> String {
    format!("{SUBSCRIPTIONS}/{}", made["id"].as_str().unwrap())
}

/// A workflow of this name on these fields.
async fn made(host: &TestHost, name: &str, on: &[&str]) -> Value {
    let (status, made) = create(host, name, fields(on)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made
}

/// Checks that the answer refuses with this code, and names that subscription.
fn assert_refused((status, answer): (StatusCode, Value), code: &str, first: &Value) {
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!(code)), "{answer}");
    let detail = answer["detail"].as_str().unwrap();
    assert!(detail.contains(first["name"].as_str().unwrap()), "{detail}");
    assert!(detail.contains(first["id"].as_str().unwrap()), "{detail}");
}

#[tokio::test]
async fn a_second_workflow_on_a_field_is_refused_and_the_first_is_named() {
    let host = TestHost::start().await;
    let first = made(&host, "First", &["a", "custom_fields.b"]).await;
    made(&host, "Other", &["c"]).await;
    let refused = create(&host, "Second", fields(&["d", "custom_fields.b"])).await;
    assert!(refused.1["detail"].as_str().unwrap().contains("`custom_fields.b`"), "{refused:?}");
    assert_refused(refused, "trigger_taken", &first);
    let list = host.ok(Method::GET, SUBSCRIPTIONS, Value::Null).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_field_of_another_space_is_free() {
    let host = TestHost::start().await;
    made(&host, "First", &["a"]).await;
    host.ok(Method::POST, "/v1/spaces", json!({"id": "other", "name": "Other"})).await;
    let workflow = json!({"name": "x", "url": "http://127.0.0.1:9/", "event_types": ["*"], "trigger": fields(&["a"])});
    host.ok(Method::POST, "/v1/spaces/other/subscriptions", workflow).await;
}

#[tokio::test]
async fn a_change_cannot_take_a_field_either() {
    let host = TestHost::start().await;
    let first = made(&host, "First", &["a"]).await;
    let second = made(&host, "Second", &["b"]).await;
    let change = json!({"trigger": fields(&["b", "a"])});
    assert_refused(host.call(Method::PATCH, &path(&second), &change).await, "trigger_taken", &first);
    assert_eq!(host.ok(Method::GET, &path(&second), Value::Null).await["trigger"]["fields"], json!(["b"]));
    // Its own field stays its own.
    host.ok(Method::PATCH, &path(&second), json!({"name": "Third", "trigger": fields(&["c", "b"])})).await;
}

#[tokio::test]
async fn a_field_that_a_change_gave_up_is_free() {
    let host = TestHost::start().await;
    let first = made(&host, "First", &["a"]).await;
    host.ok(Method::PATCH, &path(&first), json!({"trigger": fields(&["b"])})).await;
    made(&host, "Second", &["a"]).await;
    host.ok(Method::PATCH, &path(&first), json!({"trigger": null})).await;
    made(&host, "Third", &["b"]).await;
}

#[tokio::test]
async fn a_draft_and_a_pause_hold_their_fields() {
    let host = TestHost::start().await;
    let mut draft = json!({"name": "Draft", "url": "http://127.0.0.1:9/draft", "event_types": ["*"], "state": "draft"});
    draft["trigger"] = fields(&["a"]);
    let draft = host.ok(Method::POST, SUBSCRIPTIONS, draft).await;
    assert_eq!(draft["state"], "draft");
    let paused = made(&host, "Paused", &["b"]).await;
    host.ok(Method::POST, &format!("{}/pause", path(&paused)), Value::Null).await;
    assert_refused(create(&host, "Second", fields(&["a"])).await, "trigger_taken", &draft);
    assert_refused(create(&host, "Second", fields(&["b"])).await, "trigger_taken", &paused);
}

#[tokio::test]
async fn a_deleted_workflow_gives_its_fields_back() {
    let host = TestHost::start().await;
    let first = made(&host, "First", &["a"]).await;
    host.ok(Method::DELETE, &path(&first), Value::Null).await;
    made(&host, "Second", &["a"]).await;
    assert_eq!(deliveries(&host, r#""data":{},"changed_fields":["a"]"#).await, 1);
}

#[tokio::test]
async fn several_workflows_may_wait_for_the_status() {
    let host = TestHost::start().await;
    for name in ["first", "second"] {
        assert_eq!(create(&host, name, json!({"status": {"to": "won"}})).await.0, 201);
    }
    assert_eq!(deliveries(&host, r#""data":{"status":"won"}"#).await, 2);
}

fn subscription(name: &str) -> Value {
    let trigger = json!({"status": {"to": "won"}});
    json!({"name": name, "url": "http://127.0.0.1:9/in", "event_types": ["a", "b.*"], "trigger": trigger,
        "condition": "event.data.value > 1"})
}

#[tokio::test]
async fn an_identical_subscription_is_refused_and_the_other_is_named() {
    let host = TestHost::start().await;
    let first = host.ok(Method::POST, SUBSCRIPTIONS, subscription("First")).await;
    let mut second = subscription("Second");
    second["event_types"] = json!(["b.*", "a", "a"]);
    second["delay_s"] = json!(5);
    assert_refused(host.call(Method::POST, SUBSCRIPTIONS, &second).await, "subscription_identical", &first);
}

#[tokio::test]
async fn an_identical_subscription_can_be_asked_for() {
    let host = TestHost::start().await;
    host.ok(Method::POST, SUBSCRIPTIONS, subscription("First")).await;
    let second = host.ok(Method::POST, &format!("{SUBSCRIPTIONS}?allow_identical=true"), subscription("Second")).await;
    // It may be changed like any other as long as that is not what makes it identical.
    host.ok(Method::PATCH, &path(&second), json!({"name": "Third"})).await;
}

#[tokio::test]
async fn a_subscription_that_differs_in_what_it_waits_for_is_another() {
    let host = TestHost::start().await;
    host.ok(Method::POST, SUBSCRIPTIONS, subscription("First")).await;
    for (member, value) in [
        ("url", json!("http://127.0.0.1:9/in?other")),
        ("event_types", json!(["a"])),
        ("trigger", json!({"status": {"from": "open", "to": "won"}})),
        ("condition", json!("event.data.value > 2")),
    ] {
        let mut other = subscription("Other");
        other[member] = value;
        host.ok(Method::POST, SUBSCRIPTIONS, other).await;
    }
}

#[tokio::test]
async fn a_change_cannot_make_a_subscription_identical() {
    let host = TestHost::start().await;
    let first = host.ok(Method::POST, SUBSCRIPTIONS, subscription("First")).await;
    let mut other = subscription("Other");
    other["condition"] = Value::Null;
    let other = host.ok(Method::POST, SUBSCRIPTIONS, other).await;
    let change = json!({"condition": "event.data.value > 1"});
    assert_refused(host.call(Method::PATCH, &path(&other), &change).await, "subscription_identical", &first);
    host.ok(Method::DELETE, &path(&first), Value::Null).await;
    host.ok(Method::PATCH, &path(&other), change).await;
}
