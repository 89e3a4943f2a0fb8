//! Previews: what would be sent, shown exactly and not sent.

mod compare;
mod difference;
mod document;

use bytes::Bytes;
use hookmill_guests::{ECHO, ROGUE};
use hookmill_model::{Digest, Plugin, PluginName, PluginVersion, SpaceId};
use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::support::host::TestHost;
use crate::support::receiver::Receiver;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const KEY: &str = r#"k"3y&\=+%"#;
const DATA: &str = r#"{"value":12.50,"h":1e400}"#;

/// A second version of the rogue, which is the echo.
pub async fn keep_second_version(host: &TestHost) {
    let plugin = Plugin {
        space: Some(SpaceId::parse("acme").unwrap()),
        name: PluginName::parse("rogue").unwrap(),
        version: PluginVersion::parse("2.0.0").unwrap(),
        digest: Digest::of(ECHO),
        summary: "For tests".to_owned(),
        content_types: vec!["application/json".to_owned()],
        config_schema: json!({"type": "string"}),
        size_bytes: ECHO.len() as u64,
        source: None,
        created_at: host.clock.now(),
    };
    assert!(host.host.store.put_plugin(&plugin, Bytes::from_static(ECHO)).await.unwrap());
}

/// A host with one subscription, which the rogue shapes as it is told.
async fn start(word: &str, more: Value) -> (TestHost, Receiver, String) {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.upload(ROGUE).await;
    let mut members = json!({"plugin": {"name": "rogue", "config": word}, "secret": SECRET});
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let subscription = host.subscribe(&receiver.url("/in?a=b"), members).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}/preview", subscription["id"].as_str().unwrap());
    (host, receiver, path)
}

fn header<'a>(request: &'a Value, name: &str) -> Option<&'a str> {
    let headers = request["headers"].as_array().unwrap();
    headers.iter().find(|header| header["name"] == name).map(|header| header["value"].as_str().unwrap())
}

/// The request without what each delivery has for itself.
fn common(request: &Value) -> Value {
    let mut request = request.clone();
    let own = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    request["headers"].as_array_mut().unwrap().retain(|header| !own.contains(&header["name"].as_str().unwrap()));
    request
}

/// What the official verifier says of a request that is shown, with this body in fact.
fn verified(request: &Value, body: &str) -> bool {
    let headers = request["headers"].as_array().unwrap().iter();
    let headers: http::HeaderMap = headers
        .map(|header| {
            (header["name"].as_str().unwrap().parse().unwrap(), header["value"].as_str().unwrap().parse().unwrap())
        })
        .collect();
    Webhook::new(SECRET).unwrap().verify(body.as_bytes(), &headers).is_ok()
}

#[tokio::test]
async fn a_preview_of_a_stored_event_shows_what_its_delivery_sent() {
    let more = json!({"headers": [{"name": "x-own", "value": "1"}, {"name": "x-key", "value": "hidden", "secret": true}],
        "query": [{"name": "type", "value": "{event.type}"}]});
    let (mut host, receiver, path) = start("query:2", more).await;
    let event = host.post("deal.created", DATA).await;
    host.settle().await;
    receiver.take(1).await;
    let sent = host.delivery().await["attempts"][0].clone();
    let shown = host.ok(Method::POST, &path, json!({"event_id": event["id"]})).await;
    assert_eq!(common(&shown["request"]), common(&sent["request"]));
    assert_eq!(shown["request"]["body"], DATA);
    assert!(verified(&shown["request"], DATA), "{shown}");
    assert_eq!(header(&shown["request"], "x-key"), Some("***"));
    assert_eq!(shown["logs"], sent["logs"]);
    for figure in ["fuel_used", "fuel_max", "memory_bytes", "memory_bytes_max"] {
        assert_eq!(shown["figures"][figure], sent["figures"][figure], "{figure}");
    }
    assert!(shown["figures"]["fuel_used"].as_u64().unwrap() > 0);
    let plugin = &shown["plugin"];
    assert_eq!((&plugin["name"], &plugin["version"]), (&json!("rogue"), &json!("1.0.0")));
    assert_eq!(plugin["digest"], sent["plugin_digest"]);
    assert_eq!((&shown["skipped"], &shown["plugin_fault"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn nothing_is_sent_and_nothing_is_stored() {
    let (mut host, receiver, path) = start("echo", json!({})).await;
    for _ in 0..3 {
        host.ok(Method::POST, &path, json!({"event": {"type": "deal.created", "data": 1}})).await;
    }
    let alone = json!({"event": {"type": "deal.created", "data": 1}, "config": "echo", "url": receiver.url("/")});
    host.ok(Method::POST, "/v1/spaces/acme/plugins/rogue/preview", alone).await;
    host.settle().await;
    assert_eq!(receiver.requests().len(), 0);
    let db = host.database();
    for table in ["events", "deliveries", "attempts"] {
        let rows: i64 = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    let subscriptions: i64 = db.query_row("SELECT count(*) FROM subscriptions", [], |row| row.get(0)).unwrap();
    assert_eq!(subscriptions, 1);
}

#[tokio::test]
async fn a_sealed_secret_is_signed_and_not_shown() {
    let (host, _receiver, path) = start("tell:json:key", json!({"sealed_secrets": {"key": KEY}})).await;
    let event = json!({"type": "deal.created", "data": {"n": 1}});
    let shown = host.ok(Method::POST, &path, json!({"event": event})).await;
    assert_eq!(shown["request"]["body"], r#"{"key":"***","data":{"n":1}}"#);
    assert_eq!(header(&shown["request"], "x-secret"), Some("Key ***"));
    assert!(verified(&shown["request"], r#"{"key":"k\"3y&\\=+%","data":{"n":1}}"#));
    assert!(!shown.to_string().contains("k\\\"3y"));
}

#[tokio::test]
async fn the_event_is_a_stored_one_a_given_one_or_an_example_and_exactly_one_of_them() {
    let (host, _receiver, path) = start("echo", json!({})).await;
    let example = json!({"example": {"from": "the catalog"}});
    host.ok(Method::PUT, "/v1/spaces/acme/event-types/deal.won", example).await;
    host.ok(Method::PUT, "/v1/spaces/acme/event-types/deal.bare", json!({})).await;

    let shown = host.ok(Method::POST, &path, json!({"event_type": "deal.won"})).await;
    assert_eq!(shown["request"]["body"], r#"{"from":"the catalog"}"#);
    assert_eq!(header(&shown["request"], "hookmill-event-type"), Some("deal.won"));
    let given = r#"{"event":{"type":"deal.lost","data":{"h": 1e400},"id":"my-1"},"attempt":7}"#;
    let (status, shown) = host.call(Method::POST, &path, given).await;
    assert_eq!((status.as_u16(), &shown["request"]["body"]), (200, &json!(r#"{"h": 1e400}"#)));
    assert_eq!(header(&shown["request"], "hookmill-event-id"), Some("my-1"));
    assert_eq!(header(&shown["request"], "hookmill-attempt"), Some("7"));

    for (body, code, field) in [
        (json!({}), "field_missing", ""),
        (json!({"event_id": "evt_1", "event_type": "deal.won"}), "field_invalid", ""),
        (json!({"event_id": "evt_1"}), "field_invalid", "/event_id"),
        (json!({"event_type": "deal.bare"}), "field_invalid", "/event_type"),
        (json!({"event_type": "deal.unknown"}), "field_invalid", "/event_type"),
        (json!({"event": {"type": "deal.won"}}), "field_missing", "/event/data"),
        (json!({"event": {"type": "deal.won", "data": 1}, "attempt": 0}), "field_invalid", "/attempt"),
        (json!({"event": {"type": "deal.won", "data": 1}, "secrets": []}), "field_unknown", "/secrets"),
    ] {
        let (status, problem) = host.call(Method::POST, &path, body.clone()).await;
        assert_eq!(status, 422, "{body} {problem}");
        assert_eq!((&problem["code"], &problem["field"]), (&json!(code), &json!(field)), "{body} {problem}");
    }
}

#[tokio::test]
async fn an_event_as_large_as_any_can_be_given() {
    let (host, _receiver, path) = start("echo", json!({})).await;
    let data = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    let body = format!(r#"{{"event":{{"type":"deal.won","data":{data}}}}}"#);
    let (status, shown) = host.call(Method::POST, &path, body).await;
    assert_eq!((status.as_u16(), shown["request"]["body"].as_str().unwrap().len()), (200, 1 << 20));
    let body = format!(r#"{{"event":{{"type":"deal.won","data":{}}}}}"#, data.replacen('x', "xx", 1));
    let (status, problem) = host.call(Method::POST, &path, body).await;
    assert_eq!((status.as_u16(), &problem["field"]), (413, &json!("/event/data")));
}

#[tokio::test]
async fn another_version_or_configuration_can_be_tried_and_must_be_right() {
    let (host, _receiver, path) = start("header:x-a=1", json!({})).await;
    keep_second_version(&host).await;
    let event = json!({"type": "deal.won", "data": 1});
    let own = host.ok(Method::POST, &path, json!({"event": event})).await;
    assert_eq!(header(&own["request"], "x-a"), Some("1"));
    let other = host.ok(Method::POST, &path, json!({"event": event, "config": "header:x-b=2"})).await;
    assert_eq!((header(&other["request"], "x-a"), header(&other["request"], "x-b")), (None, Some("2")));
    let second = host.ok(Method::POST, &path, json!({"event": event, "version": "2.0.0"})).await;
    assert_eq!((&second["plugin"]["version"], header(&second["request"], "x-a")), (&json!("2.0.0"), None));

    for (other, field) in [(json!({"config": 7}), "/config"), (json!({"version": "3.0.0"}), "/version")] {
        let mut body = json!({"event": event});
        body.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        let (status, problem) = host.call(Method::POST, &path, body).await;
        assert_eq!((status.as_u16(), &problem["field"]), (422, &json!(field)), "{problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with(field), "{problem}");
    }
    let bare = host.subscribe("https://receiver.example/", json!({})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}/preview", bare["id"].as_str().unwrap());
    let shown = host.ok(Method::POST, &path, json!({"event": event})).await;
    assert!(shown["request"]["body"].as_str().unwrap().starts_with(r#"{"type":"deal.won","#));
    assert_eq!((&shown["plugin"], &shown["figures"]["fuel_used"]), (&Value::Null, &json!(0)));
    let (status, problem) = host.call(Method::POST, &path, json!({"event": event, "config": "echo"})).await;
    assert_eq!((status.as_u16(), &problem["field"]), (422, &json!("/config")));
}

#[tokio::test]
async fn a_plugin_that_sends_nothing_or_fails_is_shown_with_its_logs() {
    let (host, _receiver, path) = start("skip:not a lead", json!({})).await;
    let event = json!({"type": "deal.won", "data": 1});
    let shown = host.ok(Method::POST, &path, json!({"event": event})).await;
    assert_eq!((&shown["skipped"], &shown["request"]), (&json!("not a lead"), &Value::Null));
    assert_eq!(shown["logs"], json!([{"level": "info", "message": "told to skip"}]));
    let failed = host.ok(Method::POST, &path, json!({"event": event, "config": "fail-retry:no luck"})).await;
    let fault = json!({"code": "failed", "message": "no luck", "retry": true});
    assert_eq!((&failed["plugin_fault"], &failed["request"]), (&fault, &Value::Null));
    let sub = path.strip_suffix("/preview").unwrap();
    host.ok(Method::PATCH, sub, json!({"plugin": {"on_failure": "default_shape"}})).await;
    let instead = host.ok(Method::POST, &path, json!({"event": event, "config": "fail-retry:no luck"})).await;
    assert_eq!(instead["plugin_fault"], fault);
    assert!(instead["request"]["body"].as_str().unwrap().starts_with(r#"{"type":"deal.won","#));
    let spun = host.ok(Method::POST, &path, json!({"event": event, "config": "spin"})).await;
    assert_eq!(spun["plugin_fault"]["code"], "out_of_fuel");
    assert_eq!(spun["figures"]["fuel_used"], spun["figures"]["fuel_max"]);
}

#[tokio::test]
async fn a_plugin_is_shown_without_a_subscription() {
    let (host, _receiver, _) = start("echo", json!({})).await;
    let path = "/v1/spaces/acme/plugins/rogue/preview";
    let event = json!({"type": "deal.won", "data": {"n": 1}});
    let body = json!({"event": event, "config": "tell:form:key", "url": "https://example.com/in?a=b",
        "secrets": ["key"], "content_type": "application/x-www-form-urlencoded"});
    let shown = host.ok(Method::POST, path, body).await;
    let request = &shown["request"];
    assert_eq!((&request["method"], &request["url"]), (&json!("POST"), &json!("https://example.com/in?a=b")));
    assert_eq!(request["body"], "key=***&data=%7B%22n%22%3A1%7D");
    assert!(header(request, "webhook-signature").unwrap().starts_with("v1,"));
    let text = host.ok(Method::POST, path, json!({"event": event, "config": "text"})).await;
    let body = text["request"]["body"].as_str().unwrap();
    assert!(body.contains(r#"content-type: "application/json""#), "{body}");
    assert_eq!(text["request"]["url"], "https://receiver.example/");

    for (more, status, field) in [
        (json!({"config": {}}), 422, json!("/config")),
        (json!({"config": "echo", "version": "3.0.0"}), 422, json!("/version")),
        (json!({"config": "echo", "url": "ftp://x"}), 422, json!("/url")),
        (json!({"config": "echo", "secrets": ["No"]}), 422, json!("/secrets/No")),
    ] {
        let mut body = json!({"event": event});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (answered, problem) = host.call(Method::POST, path, body).await;
        assert_eq!((answered.as_u16(), &problem["field"]), (status, &field), "{problem}");
    }
    let unknown = host.call(Method::POST, "/v1/spaces/acme/plugins/none/preview", json!({"event": event})).await;
    assert_eq!((unknown.0.as_u16(), &unknown.1["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn previews_wait_for_each_other_and_deliveries_do_not_wait_for_them() {
    let (mut host, receiver, path) = start("method:POST", json!({})).await;
    let inner = host.host.clone();
    let turns = [
        inner.preview_slots.acquire().await,
        inner.preview_slots.acquire().await,
        inner.preview_slots.acquire().await,
        inner.preview_slots.acquire().await,
    ];
    let request = reqwest::Client::new().post(format!("{}{path}", host.base)).bearer_auth(&host.key);
    let body = json!({"event": {"type": "deal.won", "data": 1}}).to_string();
    let request = request.header("content-type", "application/json").body(body);
    let preview = tokio::spawn(async move { request.send().await.unwrap().status() });
    host.post("deal.won", "1").await;
    host.settle().await;
    receiver.take(1).await;
    assert!(!preview.is_finished());
    drop(turns);
    assert_eq!(preview.await.unwrap(), 200);
}

#[tokio::test]
async fn only_who_manages_a_space_has_its_subscriptions_sign_for_them() {
    let api = crate::api::TestApi::start().await;
    let made = api.subscribe(json!({})).await;
    let path = format!("/v1/spaces/crm/subscriptions/{}/preview", made["id"].as_str().unwrap());
    let body = json!({"event": {"type": "deal.won", "data": 1}});
    for (role, status) in [("read", 403), ("produce", 403), ("manage", 200)] {
        let client = api.with_role(role).await;
        assert_eq!(client.post(&path, body.clone()).await.status, status, "{role}");
    }
}
