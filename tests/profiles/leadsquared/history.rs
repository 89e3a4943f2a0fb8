//! Success, failure, retries, and the history.

use reqwest::Method;
use serde_json::{Value, json};

use super::{CREATED, LEAD, MINUTE, SECOND, start, status, webhook};
use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver, Reply};

#[tokio::test]
async fn success_is_200_alone() {
    let (mut host, receiver) = start().await;
    let failures = [201, 202, 204, 206, 302, 400, 404, 410, 500];
    for code in failures.into_iter().chain([200]) {
        let path = format!("/{code}");
        receiver.script(&path, [Reply::status(code)]);
        webhook(&host, &receiver.url(&path), json!({})).await;
    }
    host.post(CREATED, LEAD).await;
    host.settle().await;
    assert_eq!(receiver.requests().len(), failures.len() + 1);
    let deliveries = host.ok(Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
    let deliveries = deliveries["data"].as_array().unwrap();
    let mut reasons: Vec<_> = deliveries.iter().filter_map(|delivery| delivery["reason"].as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, failures.map(|code| format!("the receiver answered {code}")));
    assert_eq!(deliveries.iter().filter(|delivery| delivery["profile_status"] == "Success").count(), 1);
}

#[tokio::test]
async fn three_attempts_and_then_failure() {
    let (mut host, receiver) = start().await;
    receiver.otherwise(Reply::status(500));
    webhook(&host, &receiver.url("/"), json!({})).await;
    host.post(CREATED, LEAD).await;
    host.settle().await;
    assert_eq!(status(&host).await, "In Queue 1");
    host.advance(MINUTE).await;
    assert_eq!(status(&host).await, "In Queue 2");
    host.advance(5 * MINUTE).await;
    assert_eq!(status(&host).await, "Failure 3");
    host.advance(24 * 60 * MINUTE).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.text() == LEAD && request.target == requests[0].target));
}

#[tokio::test]
async fn the_third_attempt_can_still_succeed() {
    let (mut host, receiver) = start().await;
    receiver.script("/", [Reply::status(500), Reply::Reset]);
    webhook(&host, &receiver.url("/"), json!({})).await;
    host.post(CREATED, LEAD).await;
    host.settle().await;
    host.advance(MINUTE).await;
    host.advance(5 * MINUTE).await;
    assert_eq!(status(&host).await, "Success 3");
}

#[tokio::test]
async fn the_status_is_in_queue_and_then_success_or_failure() {
    let (mut host, receiver) = start().await;
    receiver.script("/fails", (0..3).map(|_| Reply::status(404)));
    for path in ["/fails", "/works"] {
        webhook(&host, &receiver.url(path), json!({"delay_s": 10})).await;
    }
    host.post(CREATED, LEAD).await;
    assert_eq!(statuses(&host).await, ["In Queue", "In Queue"]);
    host.advance(10 * SECOND).await;
    assert_eq!(statuses(&host).await, ["In Queue", "Success"]);
    host.advance(MINUTE).await;
    host.advance(5 * MINUTE).await;
    assert_eq!(statuses(&host).await, ["Failure", "Success"]);
}

/// Statuses of all deliveries, sorted.
async fn statuses(host: &TestHost) -> Vec<String> {
    let list = host.ok(Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
    let status = |delivery: &Value| delivery["profile_status"].as_str().unwrap().to_owned();
    let mut statuses: Vec<_> = list["data"].as_array().unwrap().iter().map(status).collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test]
async fn the_history_shows_when_the_status_and_the_data_sent_and_received() {
    let (mut host, receiver) = start().await;
    let received = r#"{"Status":"Success","StatusReason":"created"}"#;
    receiver.script("/", [Reply::body(500, "try later"), Reply::body(200, received)]);
    webhook(&host, &receiver.url("/"), json!({})).await;
    host.post(CREATED, LEAD).await;
    let first = host.clock.now().to_string();
    host.settle().await;
    host.advance(MINUTE).await;
    let second = host.clock.now().to_string();

    let delivery = host.delivery().await;
    assert_eq!((&delivery["profile_status"], &delivery["completed_at"]), (&json!("Success"), &json!(second)));
    let attempts = delivery["attempts"].as_array().unwrap();
    let shown = attempts.iter().map(|attempt| {
        let text = |pointer: &str| attempt.pointer(pointer).unwrap().as_str().unwrap();
        (text("/started_at"), text("/outcome"), text("/request/body"), text("/answer/body"))
    });
    let expected = [(&*first, "rejected", LEAD, "try later"), (&*second, "succeeded", LEAD, received)];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    let sent = &receiver.requests()[1];
    assert!(attempts[1]["request"]["url"].as_str().unwrap().ends_with(&sent.target));
}

/// A delivery that failed, whose subscription was then changed, resent in this mode. Returns the first request and the
/// resent one.
async fn sent_again(mode: &str) -> (TestHost, Received, Received) {
    let (mut host, receiver) = start().await;
    receiver.script("/", (0..3).map(|_| Reply::status(500)));
    let made = webhook(&host, &receiver.url("/?a=b"), json!({})).await;
    host.post(CREATED, LEAD).await;
    host.settle().await;
    host.advance(MINUTE).await;
    host.advance(5 * MINUTE).await;
    assert_eq!(status(&host).await, "Failure 3");
    change(&host, &made, &receiver).await;

    let id = host.delivery().await["id"].as_str().unwrap().to_owned();
    host.ok(Method::POST, &format!("/v1/spaces/acme/deliveries/{id}/resend"), json!({"mode": mode})).await;
    assert_eq!(status(&host).await, "In Queue 3");
    host.settle().await;
    assert_eq!(status(&host).await, "Success 4");
    let mut requests = receiver.take(4).await;
    (host, requests.remove(0), requests.remove(2))
}

async fn change(host: &TestHost, made: &Value, receiver: &Receiver) {
    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    let change = json!({
        "url": receiver.url("/elsewhere"),
        "content_type": "application/x-www-form-urlencoded",
        "fields": {"include": ["$.Score"]}
    });
    host.ok(Method::PATCH, &path, change).await;
}

#[tokio::test]
async fn a_failure_is_resent_verbatim_although_the_subscription_was_changed() {
    let (host, first, again) = sent_again("verbatim").await;
    assert_eq!((&again.body, &again.target, &again.method), (&first.body, &first.target, &first.method));
    assert_eq!(again.header("content-type"), Some("application/json"));
    assert_eq!(again.text(), LEAD);
    assert_eq!(host.delivery().await["attempts"][3]["request"]["body"], LEAD);
}

#[tokio::test]
async fn a_failure_is_resent_with_the_present_subscription() {
    let (_, first, again) = sent_again("fresh").await;
    assert_eq!(first.text(), LEAD);
    assert_eq!(
        (again.text(), again.header("content-type")),
        ("Score=12.50", Some("application/x-www-form-urlencoded"))
    );
    assert!(again.target.starts_with("/elsewhere?entityType="), "{}", again.target);
}

const ERROR: &str = r#"{"Status":"Error","StatusReason":"no such campaign"}"#;

/// The delivery after the response to its first attempt: 200 and this body.
async fn answered(answer: &'static str, more: Value) -> Value {
    let (mut host, receiver) = start().await;
    receiver.otherwise(Reply::body(200, answer));
    webhook(&host, &receiver.url("/"), more).await;
    host.post(CREATED, LEAD).await;
    host.settle().await;
    host.delivery().await
}

fn rule() -> Value {
    json!({"answer_rule": {"pointer": "/Status", "failure": "Error", "reason_pointer": "/StatusReason"}})
}

#[tokio::test]
async fn an_error_in_the_body_is_a_failure_with_an_answer_rule() {
    let delivery = answered(ERROR, rule()).await;
    assert_eq!((&delivery["profile_status"], &delivery["attempt_count"]), (&json!("In Queue"), &json!(1)));
    assert_eq!(delivery["reason"], "the receiver answered 200, and its response reports a failure: no such campaign");
}

#[tokio::test]
async fn a_success_in_the_body_is_a_success_with_an_answer_rule() {
    for answer in [r#"{"Status":"Success","StatusReason":""}"#, "thanks", ""] {
        assert_eq!(answered(answer, rule()).await["profile_status"], "Success", "{answer}");
    }
}

#[tokio::test]
async fn an_error_in_the_body_is_a_success_without_an_answer_rule() {
    assert_eq!(answered(ERROR, json!({})).await["profile_status"], "Success");
}
