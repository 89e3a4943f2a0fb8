//! Activation: from a name and a URL to an active subscription.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, activate, body, deal, path, plain, read, sent, start, subscribe, subscribed};
use crate::support::receiver::{Receiver, Reply};

/// The first step in Livespace: name and URL.
fn connect(receiver: &Receiver) -> Value {
    json!({"name": "Deals", "profile": "livespace", "url": receiver.url("/in"), "state": "draft"})
}

#[tokio::test]
async fn a_subscription_is_created_in_two_steps_and_then_activated() {
    let (mut host, receiver) = start().await;
    let draft = host.ok(Method::POST, SUBSCRIPTIONS, connect(&receiver)).await;
    assert_eq!((&draft["state"], &draft["event_types"]), (&json!("draft"), &json!([])));
    let (status, problem) = activate(&host, &draft).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("subscription_state")), "{problem}");
    assert_eq!(host.post("deal.created", &deal()).await["deliveries"], 0);

    let chosen = host.ok(Method::PATCH, &path(&draft), json!({"event_types": ["deal.created"]})).await;
    assert_eq!(chosen["state"], "draft");
    assert_eq!(host.post("deal.created", &deal()).await["deliveries"], 0);
    assert_eq!(receiver.requests().len(), 0);

    assert_eq!(activate(&host, &draft).await.1["state"], "active");
    receiver.take(1).await;
    assert_eq!(body(&sent(&mut host, &receiver, &deal()).await)["name"], "deal.created");
}

#[tokio::test]
async fn activation_asks_with_an_empty_post() {
    let (host, receiver) = start().await;
    let subscription = subscribe(&host, &receiver.url("/in"), json!({})).await;
    assert_eq!((&subscription["state"], &subscription["handshake_report"]["passed"]), (&json!("active"), &json!(true)));
    let request = receiver.take(1).await.remove(0);
    assert_eq!((request.method.as_str(), request.target.as_str(), request.body.len()), ("POST", "/in", 0));
    assert_eq!(request.header("content-length"), Some("0"));
}

#[tokio::test]
async fn activation_passes_on_200_and_on_204_and_on_nothing_else() {
    let (host, receiver) = start().await;
    for (status, state) in
        [(200, "active"), (204, "active"), (201, "verifying"), (302, "verifying"), (500, "verifying")]
    {
        let at = format!("/{status}");
        receiver.script(&at, [Reply::status(status), Reply::body(status, "no")]);
        let subscription = subscribe(&host, &receiver.url(&at), json!({})).await;
        assert_eq!(subscription["state"], state, "{status}");
        if state == "verifying" {
            let (refused, problem) = activate(&host, &subscription).await;
            assert_eq!((refused.as_u16(), &problem["code"]), (409, &json!("handshake_rejected")));
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.starts_with(&format!("the endpoint responded {status}, expected 200,204")), "{detail}");
            assert!(detail.ends_with(": no"), "{detail}");
        }
    }
}

#[tokio::test]
async fn activation_must_be_answered_within_3_seconds() {
    let (host, receiver) = start().await;
    let draft = subscribe(&host, &receiver.url("/in"), json!({"state": "draft"})).await;
    let expected = json!({"kind": "empty_post", "success_codes": "200,204", "timeout_ms": 3_000});
    assert_eq!(draft["handshake"], expected);
    // One second stands for three: this wait is real.
    let changed = host.ok(Method::PATCH, &path(&draft), json!({"handshake": {"timeout_ms": 1_000}})).await;
    assert_eq!(changed["handshake"]["kind"], "empty_post");
    receiver.script("/in", [Reply::Hang]);
    let (status, problem) = activate(&host, &draft).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("handshake_rejected")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("(1000 ms allowed)"), "{problem}");
    let report = &read(&host, &draft).await["handshake_report"];
    assert!(report["took_ms"].as_u64().unwrap() >= 1_000 && report["status"].is_null(), "{report}");
}

#[tokio::test]
async fn no_event_is_sent_before_the_endpoint_passed() {
    let (mut host, receiver) = start().await;
    receiver.script("/in", [Reply::status(500)]);
    let subscription = subscribe(&host, &receiver.url("/in"), json!({})).await;
    assert_eq!(subscription["state"], "verifying");
    receiver.take(1).await;
    assert_eq!(host.post("deal.created", r#"{"n":1}"#).await["deliveries"], 0);
    host.settle().await;
    assert_eq!(receiver.requests().len(), 1, "the handshake alone");

    assert_eq!(activate(&host, &subscription).await.1["state"], "active");
    receiver.take(1).await;
    assert_eq!(body(&sent(&mut host, &receiver, r#"{"n":2}"#).await)["data"]["n"], 2);
}

#[tokio::test]
async fn every_reactivation_repeats_the_handshake() {
    let (host, receiver) = start().await;
    let subscription = subscribed(&host, &receiver, "/in", json!({})).await;
    let pause = format!("{}/pause", path(&subscription));
    for (status, state) in [(204, "active"), (500, "verifying"), (200, "active")] {
        host.ok(Method::POST, &pause, Value::Null).await;
        receiver.script("/in", [Reply::status(status)]);
        activate(&host, &subscription).await;
        let request = receiver.take(1).await.remove(0);
        assert_eq!((request.method.as_str(), request.body.len()), ("POST", 0));
        assert_eq!(read(&host, &subscription).await["state"], state, "{status}");
        let deliveries = u64::from(state == "active");
        assert_eq!(host.post("deal.created", &deal()).await["deliveries"], deliveries);
    }
}

/// Subscribes the URL as it was copied, and sends to a path of the same form.
async fn takes(copied: &str, success: Reply) {
    let (mut host, receiver) = start().await;
    let mut draft = plain(copied);
    draft["state"] = json!("draft");
    assert_eq!(host.ok(Method::POST, SUBSCRIPTIONS, draft).await["url"], copied);
    receiver.otherwise(success);
    let copied = url::Url::parse(copied).unwrap();
    subscribed(&host, &receiver, copied.path(), json!({})).await;
    let request = sent(&mut host, &receiver, &deal()).await;
    assert_eq!((request.target.as_str(), request.header("content-type")), (copied.path(), Some("application/json")));
    assert_eq!(host.delivery().await["state"], "delivered");
}

#[tokio::test]
async fn a_catch_hook_url_of_zapier_is_accepted() {
    let answer = Reply::body(200, r#"{"attempt":"1","id":"1","request_id":"1","status":"success"}"#);
    takes("https://hooks.zapier.com/hooks/catch/1234567/abc12de/", answer).await;
}

#[tokio::test]
async fn a_custom_webhook_url_of_make_is_accepted() {
    takes("https://hook.eu2.make.com/a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6", Reply::body(200, "Accepted")).await;
}

#[tokio::test]
async fn a_production_url_of_n8n_is_accepted() {
    let answer = Reply::body(200, r#"{"message":"Workflow was started"}"#);
    takes("https://example.app.n8n.cloud/webhook/5f0c8a52-7d0e-4a5e-9b0a-1c2d3e4f5a6b", answer).await;
}

#[tokio::test]
async fn a_test_url_of_n8n_is_accepted_only_while_it_listens() {
    let test_url = "https://example.app.n8n.cloud/webhook-test/5f0c8a52-7d0e-4a5e-9b0a-1c2d3e4f5a6b";
    takes(test_url, Reply::body(200, r#"{"message":"Workflow was started"}"#)).await;
    let (host, receiver) = start().await;
    let deaf = r#"{"code":404,"message":"The requested webhook is not registered."}"#;
    receiver.otherwise(Reply::body(404, deaf));
    let subscription = subscribe(&host, &receiver.url("/webhook-test/5f0c"), json!({})).await;
    assert_eq!(subscription["state"], "verifying");
    assert_eq!(subscription["handshake_report"]["answer"], deaf);
}
