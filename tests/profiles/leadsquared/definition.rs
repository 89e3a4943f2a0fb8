//! The definition of a webhook.

use reqwest::Method;
use serde_json::{Value, json};

use super::{CREATED, LEAD, MINUTE, SECOND, start, status, webhook};
use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

#[tokio::test]
async fn an_http_url_and_an_https_url_are_both_sent_to() {
    let (plain, tls) = (Receiver::start().await, Receiver::start_tls().await);
    let trusted = tls.certificate();
    let mut host = TestHost::start_with(|config| config.send.trusted_certificates = Some(trusted)).await;
    for receiver in [&plain, &tls] {
        receiver.otherwise(Reply::status(200));
        let made = webhook(&host, &receiver.url("/"), json!({})).await;
        assert_eq!(made["state"], "active");
    }
    host.post(CREATED, LEAD).await;
    host.settle().await;
    assert!(plain.url("/").starts_with("http://") && tls.url("/").starts_with("https://"));
    assert_eq!(plain.take(1).await[0].text(), LEAD);
    assert_eq!(tls.take(1).await[0].text(), LEAD);
}

#[tokio::test]
async fn only_the_chosen_event_is_sent() {
    let (mut host, receiver) = start().await;
    webhook(&host, &receiver.url("/"), json!({})).await;
    assert_eq!(host.post("Lead_Post_Update", LEAD).await["deliveries"], 0);
    assert_eq!(host.post(CREATED, LEAD).await["deliveries"], 1);
    host.settle().await;
    assert_eq!(receiver.requests().len(), 1);
}

/// The single request of a webhook with this content type, if one is set: its `content-type`, and its body.
async fn sent_as(content_type: Option<&str>) -> (String, String) {
    let (mut host, receiver) = start().await;
    webhook(&host, &receiver.url("/"), json!({"content_type": content_type})).await;
    host.post(CREATED, LEAD).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    (request.header("content-type").unwrap().to_owned(), request.text().to_owned())
}

#[tokio::test]
async fn data_is_posted_as_json() {
    assert_eq!(sent_as(Some("application/json")).await, ("application/json".to_owned(), LEAD.to_owned()));
}

#[tokio::test]
async fn data_is_posted_as_a_form() {
    let form = "ProspectID=0f1e&Score=12.50&mx_City=%C5%81%C3%B3d%C5%BA";
    let content_type = "application/x-www-form-urlencoded";
    assert_eq!(sent_as(Some(content_type)).await, (content_type.to_owned(), form.to_owned()));
}

#[tokio::test]
async fn data_is_posted_as_plain_text() {
    let (content_type, body) = sent_as(Some("text/plain")).await;
    assert!(content_type.starts_with("text/plain"), "{content_type}");
    assert_eq!(body, LEAD);
}

/// The text has both "choose the format" and "we post in JSON".
#[tokio::test]
async fn the_content_type_can_be_set_and_is_json_by_default() {
    assert_eq!(sent_as(None).await.0, "application/json");
    assert_eq!(sent_as(Some("application/x-www-form-urlencoded")).await.0, "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn custom_headers_go_out_with_name_and_value() {
    let (mut host, receiver) = start().await;
    let headers = json!([{"name": "x-team", "value": "sales"}, {"name": "x-key", "value": "j5Ft", "secret": true}]);
    webhook(&host, &receiver.url("/"), json!({"headers": headers})).await;
    host.post(CREATED, LEAD).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    assert_eq!((request.header("x-team"), request.header("x-key")), (Some("sales"), Some("j5Ft")));
}

#[tokio::test]
async fn a_secret_custom_header_is_never_shown() {
    let (mut host, receiver) = start().await;
    let headers = json!([{"name": "x-key", "value": "j5Ft", "secret": true}, {"name": "x-team", "value": "sales"}]);
    let made = webhook(&host, &receiver.url("/"), json!({"headers": headers})).await;
    assert_eq!((&made["headers"][0]["value"], &made["headers"][1]["value"]), (&json!("***"), &json!("sales")));
    host.post(CREATED, LEAD).await;
    host.settle().await;
    let history = host.delivery().await.to_string();
    assert!(history.contains("x-key") && history.contains("sales") && !history.contains("j5Ft"), "{history}");
}

#[tokio::test]
async fn the_execution_delay_is_seconds_from_the_event() {
    let (mut host, receiver) = start().await;
    webhook(&host, &receiver.url("/"), json!({"delay_s": 90})).await;
    host.post(CREATED, LEAD).await;
    host.advance(90 * SECOND - SECOND).await;
    assert_eq!((status(&host).await.as_str(), receiver.requests().len()), ("In Queue 0", 0));
    host.advance(SECOND).await;
    assert_eq!((status(&host).await.as_str(), receiver.requests().len()), ("Success 1", 1));
}

#[tokio::test]
async fn the_description_is_kept_and_can_be_changed() {
    let host = TestHost::start().await;
    let made = webhook(&host, "http://127.0.0.1:9/", json!({"description": "New lead data"})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    assert_eq!(host.ok(Method::GET, &path, Value::Null).await["description"], "New lead data");
    let changed = host.ok(Method::PATCH, &path, json!({"description": "Leads"})).await;
    assert_eq!((&changed["description"], &changed["name"]), (&json!("Leads"), &made["name"]));
}

#[tokio::test]
async fn the_method_is_post() {
    let (mut host, receiver) = start().await;
    webhook(&host, &receiver.url("/"), json!({})).await;
    host.post(CREATED, LEAD).await;
    host.settle().await;
    assert_eq!(receiver.take(1).await[0].method, "POST");
}

#[tokio::test]
async fn a_get_carries_the_data_in_the_query() {
    let (mut host, receiver) = start().await;
    let made = webhook(&host, &receiver.url("/in?a=b"), json!({"method": "GET"})).await;
    host.post(CREATED, r#"{"ProspectID":"0f1e","Score":12.50}"#).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    let id = made["id"].as_str().unwrap();
    let target =
        format!("/in?a=b&entityType=Webhook&entityId={id}&eventType=Lead_Post_Create&ProspectID=0f1e&Score=12.50");
    assert_eq!((request.method.as_str(), request.target, request.body.len()), ("GET", target, 0));
}

#[tokio::test]
async fn notify_on_failure_is_off_by_default() {
    let host = TestHost::start().await;
    let silent = webhook(&host, "http://127.0.0.1:9/silent", json!({})).await;
    let loud = webhook(&host, "http://127.0.0.1:9/loud", json!({"notify_on_failure": true})).await;
    assert_eq!((&silent["notify_on_failure"], &loud["notify_on_failure"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn the_endpoint_is_checked_by_head_if_enabled() {
    let (mut host, receiver) = start().await;
    receiver.script("/refuses", [Reply::status(404)]);
    let handshake = json!({"handshake": {"kind": "head", "success_codes": "200"}});
    let passed = webhook(&host, &receiver.url("/passes?a=b"), handshake.clone()).await;
    let refused = webhook(&host, &receiver.url("/refuses"), handshake).await;
    assert_eq!((&passed["state"], &refused["state"]), (&json!("active"), &json!("verifying")));
    assert_eq!(host.post(CREATED, LEAD).await["deliveries"], 1);
    host.settle().await;
    let requests: Vec<_> =
        receiver.requests().into_iter().map(|request| (request.method, request.body.len())).collect();
    let expected = [("HEAD", 0), ("HEAD", 0), ("POST", LEAD.len())];
    assert_eq!(requests, expected.map(|(method, bytes)| (method.to_owned(), bytes)));
}

#[tokio::test]
async fn there_is_no_handshake_by_default() {
    let (mut host, receiver) = start().await;
    assert_eq!(webhook(&host, &receiver.url("/"), json!({})).await["state"], "active");
    host.advance(MINUTE).await;
    assert_eq!(receiver.requests().len(), 0);
}
