//! The handshake before an activation, in all its kinds; Livespace's own rules on it are in `livespace`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

async fn read(host: &TestHost, subscription: &Value) -> Value {
    host.ok(Method::GET, &path(subscription, ""), Value::Null).await
}

fn path(subscription: &Value, call: &str) -> String {
    format!("/v1/spaces/acme/subscriptions/{}{call}", subscription["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_test_event_goes_through_the_plugin_signed_and_is_no_delivery() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    // As text: a number of `json!` would be a float by now.
    let example = r#"{"description": "A deal was won", "example": {"value": 12.50, "name": "Zoë"}}"#;
    let (status, _) = host.call(Method::PUT, "/v1/spaces/acme/event-types/deal.won", example).await;
    assert_eq!(status, 200);
    let made = host
        .subscribe(
            &receiver.url("/hook"),
            json!({"event_types": ["deal.won"], "handshake": {"kind": "test_event"}, "plugin": {"name": "zapier"}}),
        )
        .await;
    assert_eq!(made["state"], "active");
    let request = &receiver.requests()[0];
    assert_eq!(request.method, "POST");
    assert!(request.text().contains(r#""data__value":12.50"#), "{}", request.text());
    let secret = host.ok(Method::GET, &path(&made, "/secret"), Value::Null).await;
    let headers: http::HeaderMap = request
        .headers
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    // The official verifier reads the machine's clock, which the manual one was set to a moment ago.
    let verifier = standardwebhooks::Webhook::new(secret["secret"].as_str().unwrap()).unwrap();
    verifier.verify(&request.body, &headers).unwrap();
    let deliveries = host.ok(Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
    assert_eq!(deliveries["data"], json!([]));
}

#[tokio::test]
async fn a_plugin_that_makes_no_test_event_is_told_without_asking_the_endpoint() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let plugin = json!({"name": "jq", "config": {"program": "empty"}});
    let made = host
        .subscribe(
            &receiver.url("/hook"),
            json!({"event_types": ["deal.won"], "handshake": {"kind": "test_event"}, "plugin": plugin}),
        )
        .await;
    assert_eq!((&made["state"], receiver.requests().len()), (&json!("verifying"), 0));
    let reason = made["handshake_report"]["reason"].as_str().unwrap();
    assert!(reason.contains("the plugin skips the test event"), "{reason}");
}

#[tokio::test]
async fn cloudevents_asks_for_consent_and_a_status_alone_is_none() {
    let (host, receiver) = (
        TestHost::start_with(|config| config.send.origin = "hooks.acme.example".to_owned()).await,
        Receiver::start().await,
    );
    let made = host.subscribe(&receiver.url("/hook"), json!({"handshake": {"kind": "cloudevents"}})).await;
    let asked = &receiver.requests()[0];
    assert_eq!((asked.method.as_str(), asked.text()), ("OPTIONS", ""));
    assert_eq!(asked.header("webhook-request-origin"), Some("hooks.acme.example"));
    assert_eq!(made["state"], "verifying");
    let reason = made["handshake_report"]["reason"].as_str().unwrap();
    assert!(reason.contains("no WebHook-Allowed-Origin"), "{reason}");

    for (allowed, status) in
        [("other.example", 409), ("hooks.acme.example", 200), ("Hooks.Acme.Example", 200), ("*", 200)]
    {
        host.ok(Method::POST, &path(&made, "/pause"), Value::Null).await;
        receiver.script("/hook", [Reply::header(200, "WebHook-Allowed-Origin", allowed)]);
        let (answered, answer) = host.call(Method::POST, &path(&made, "/activate"), "").await;
        assert_eq!(answered, status, "{allowed}: {answer}");
    }
    assert_eq!(read(&host, &made).await["state"], "active");
}

#[tokio::test]
async fn a_refusal_tells_the_status_the_time_and_the_first_bytes_of_the_answer() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/hook", [Reply::body(503, "no such scenario"), Reply::body(503, "no such scenario")]);
    let made = host.subscribe(&receiver.url("/hook"), json!({"handshake": {"kind": "empty_post"}})).await;
    let report = &made["handshake_report"];
    assert_eq!((&report["passed"], &report["status"]), (&json!(false), &json!(503)));
    assert_eq!(report["answer"], "no such scenario");

    let (status, problem) = host.call(Method::POST, &path(&made, "/activate"), "").await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("handshake_rejected")));
    let detail = problem["detail"].as_str().unwrap();
    for part in ["responded 503", "expected 2xx", "(10000 ms allowed)", "no such scenario"] {
        assert!(detail.contains(part), "{detail}");
    }
}

#[tokio::test]
async fn an_active_subscription_moves_only_to_an_endpoint_that_passes() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let made = host.subscribe(&receiver.url("/old"), json!({"handshake": {"kind": "head"}})).await;
    assert_eq!(made["state"], "active");

    receiver.script("/new", [Reply::status(500)]);
    let to_new = json!({"url": receiver.url("/new"), "name": "Moved"});
    let (status, problem) = host.call(Method::PATCH, &path(&made, ""), &to_new).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("handshake_rejected")));
    assert_eq!(read(&host, &made).await, made);
    host.post("deal.won", "1").await;
    host.settle().await;

    let moved = host.ok(Method::PATCH, &path(&made, ""), to_new).await;
    assert_eq!((&moved["state"], &moved["handshake_report"]["passed"]), (&json!("active"), &json!(true)));
    host.advance(std::time::Duration::from_secs(1)).await;
    host.post("deal.won", "1").await;
    host.settle().await;
    let asked: Vec<_> = receiver.requests().iter().map(|r| format!("{} {}", r.method, r.target)).collect();
    assert_eq!(asked, ["HEAD /old", "HEAD /new", "POST /old", "HEAD /new", "POST /new"]);
}
