//! Sealed secrets, from the API to the receiver: only the receiver gets the value, everyone else a placeholder or a
//! mask.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookmill_guests::ROGUE;
use reqwest::Method;
use rusqlite::types::Value as Column;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver, Reply};

/// A secret with characters that JSON and forms must escape.
const KEY: &str = r#"k"3y&\=+%"#;
const DATA: &str = r#"{"value":12.50}"#;

/// A host with one subscription that configures what the rogue plugin does with its secrets.
async fn start(word: &str) -> (TestHost, Receiver, Value) {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.upload(ROGUE).await;
    let more = json!({"plugin": {"name": "rogue", "config": word}, "sealed_secrets": {"key": KEY},
        "signing": {"scheme": "none"}, "secret": "signing-secret"});
    let subscription = host.subscribe(&receiver.url("/"), more).await;
    (host, receiver, subscription)
}

async fn sent(host: &mut TestHost, receiver: &Receiver, data: &str) -> Received {
    host.post("deal.created", data).await;
    host.settle().await;
    receiver.take(1).await.remove(0)
}

/// Log lines of the rogue plugin in the last attempt, after the line that states its mode.
async fn logged(host: &TestHost) -> Vec<String> {
    let delivery = host.delivery().await;
    let logs = delivery["attempts"].as_array().unwrap().last().unwrap()["logs"].as_array().unwrap().clone();
    logs.iter().skip(1).map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

/// All columns of all attempts, as bytes.
fn rows(host: &TestHost) -> Vec<Vec<u8>> {
    let db = host.database();
    let mut select = db.prepare("SELECT * FROM attempts").unwrap();
    let columns = select.column_count();
    let mut found = select.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = found.next().unwrap() {
        all.extend((0..columns).map(|column| match row.get(column).unwrap() {
            Column::Text(text) => text.into_bytes(),
            Column::Blob(bytes) => bytes,
            Column::Null | Column::Integer(_) | Column::Real(_) => Vec::new(),
        }));
    }
    all
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

#[tokio::test]
async fn a_plugin_that_logs_its_secret_or_computes_with_it_has_only_the_placeholder() {
    let (mut host, receiver, _) = start("tell:json:key").await;
    let request = sent(&mut host, &receiver, DATA).await;
    let logged = logged(&host).await;
    let [written, printed, computed] = &logged[..] else { panic!("{logged:?}") };
    assert!(written.starts_with("hmsec_") && written.len() == 38 && printed == written, "{logged:?}");
    let backwards: String = written.chars().rev().collect();
    assert_eq!(*computed, format!("38 {backwards}"));
    assert_eq!(request.header("x-computed"), Some(computed.as_str()));
}

#[tokio::test]
async fn the_value_arrives_unchanged_in_a_header() {
    let (mut host, receiver, _) = start("tell:json:key").await;
    let request = sent(&mut host, &receiver, DATA).await;
    assert_eq!(request.header("x-secret"), Some(format!("Key {KEY}").as_str()));
}

#[tokio::test]
async fn the_value_arrives_escaped_for_each_content_type() {
    for (kind, body) in [
        ("json", r#"{"key":"k\"3y&\\=+%","data":{"value":12.50}}"#),
        ("form", "key=k%223y%26%5C%3D%2B%25&data=%7B%22value%22%3A12.50%7D"),
        ("text", r#"k"3y&\=+% {"value":12.50}"#),
    ] {
        let (mut host, receiver, _) = start(&format!("tell:{kind}:key")).await;
        let request = sent(&mut host, &receiver, DATA).await;
        assert_eq!(request.text(), body);
        match kind {
            "json" => assert_eq!(serde_json::from_str::<Value>(body).unwrap()["key"], KEY),
            "form" => assert_eq!(url::form_urlencoded::parse(body.as_bytes()).next().unwrap().1, KEY),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_raw_body_of_a_plugin_keeps_the_placeholder() {
    let (mut host, receiver, _) = start("tell:binary:key").await;
    let request = sent(&mut host, &receiver, DATA).await;
    assert_eq!(request.text(), logged(&host).await[0]);
    assert_eq!(request.header("x-secret"), Some(format!("Key {KEY}").as_str()));
}

#[tokio::test]
async fn the_name_signing_is_the_newest_signing_secret() {
    let (mut host, receiver, _) = start("tell:text:signing").await;
    let request = sent(&mut host, &receiver, DATA).await;
    assert_eq!(request.text(), format!("signing-secret {DATA}"));
}

#[tokio::test]
async fn event_data_that_looks_like_a_placeholder_passes_through() {
    let (mut host, receiver, _) = start("tell:json:key").await;
    let guesses = r#"["hmsec_0123456789abcdef0123456789abcdef","{{secret:key}}","hmsec_","***"]"#;
    let request = sent(&mut host, &receiver, guesses).await;
    assert!(request.text().ends_with(&format!(r#","data":{guesses}}}"#)), "{}", request.text());
    // A real placeholder, which anyone who reads the log knows.
    let copied = format!(r#"{{"copied":"{}"}}"#, logged(&host).await[0]);
    let request = sent(&mut host, &receiver, &copied).await;
    assert!(request.text().ends_with(&format!(r#","data":{copied}}}"#)), "{}", request.text());
    assert_eq!(request.header("x-secret"), Some(format!("Key {KEY}").as_str()));
}

#[tokio::test]
async fn neither_the_api_nor_the_history_nor_the_rows_contain_the_value() {
    let value = "hunter2-hunter2";
    for kind in ["json", "form", "text"] {
        let (mut host, receiver, subscription) = start(&format!("tell:{kind}:key")).await;
        let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
        let changed = host.ok(Method::PATCH, &path, json!({"sealed_secrets": {"key": value}})).await;
        assert_eq!(changed["sealed_secrets"], json!({"key": "***"}));
        let request = sent(&mut host, &receiver, DATA).await;
        assert!(request.text().contains(value), "{}", request.text());

        let delivery = host.delivery().await;
        let shown = &delivery["attempts"][0]["request"];
        assert!(shown["body"].as_str().unwrap().contains("***"), "{shown}");
        assert!(shown["headers"].to_string().contains("Key ***"), "{shown}");
        for page in ["/v1/spaces/acme/subscriptions", "/v1/spaces/acme/deliveries", &path] {
            let page = host.ok(Method::GET, page, Value::Null).await.to_string();
            assert!(!page.contains(value), "{page}");
        }
        assert!(!delivery.to_string().contains(value), "{delivery}");
        let rows = rows(&host);
        assert!(rows.iter().any(|bytes| holds(bytes, "hmsec_")), "the row keeps the placeholder");
        assert!(!rows.iter().any(|bytes| holds(bytes, value)), "and not the value");
    }
}

/// Captures the host's log of this test's thread while it lives.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_hosts_log_does_not_contain_the_value_at_any_level() {
    let (mut host, receiver, _) = start("tell:json:key").await;
    let log = Log::default();
    let writer = log.clone();
    let writing = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    // With a single subscriber, a log statement that the thread of another test reaches first is disabled for all threads.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(writing.finish());
    let request = sent(&mut host, &receiver, DATA).await;
    drop(guard);
    assert_eq!(request.header("x-secret"), Some(format!("Key {KEY}").as_str()));
    let log = log.0.lock().unwrap();
    assert!(holds(&log, "attempt finished"), "{}", String::from_utf8_lossy(&log));
    let escaped = KEY.escape_debug().to_string();
    assert!(!holds(&log, KEY) && !holds(&log, &escaped), "{}", String::from_utf8_lossy(&log));
}

#[tokio::test]
async fn a_resend_uses_the_present_value() {
    let (mut host, receiver, subscription) = start("tell:json:key").await;
    sent(&mut host, &receiver, DATA).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    host.ok(Method::PATCH, &path, json!({"sealed_secrets": {"key": "newer"}})).await;
    let retry = format!("/v1/spaces/acme/deliveries/{}/resend", host.delivery().await["id"].as_str().unwrap());
    for mode in ["verbatim", "fresh"] {
        host.ok(Method::POST, &retry, json!({"mode": mode})).await;
        host.settle().await;
        let request = receiver.take(1).await.remove(0);
        assert_eq!(request.text(), r#"{"key":"newer","data":{"value":12.50}}"#, "{mode}");
        assert_eq!(request.header("x-secret"), Some("Key newer"), "{mode}");
    }
    assert!(!rows(&host).iter().any(|bytes| holds(bytes, "newer")));
}

#[tokio::test]
async fn makes_api_key_is_sealed() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let more =
        json!({"plugin": {"name": "make", "config": {"api_key_secret": "make"}}, "sealed_secrets": {"make": "s3cret"}});
    host.subscribe(&receiver.url("/"), more).await;
    assert_eq!(sent(&mut host, &receiver, DATA).await.header("x-make-apikey"), Some("s3cret"));
    assert!(!host.delivery().await.to_string().contains("s3cret"));
}

#[tokio::test]
async fn secrets_that_a_receiver_echoes_are_masked_in_the_history() {
    let (mut host, receiver, subscription) = start("tell:json:key").await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    let header = json!([{"name": "x-token", "value": "t0ken-of-theirs", "secret": true}]);
    host.ok(Method::PATCH, &path, json!({"headers": header, "retry": {"schedule_s": []}})).await;
    let said = format!(r#"{{"refused": "t0ken-of-theirs", "key": "{}", "raw": "{KEY}"}}"#, KEY.escape_default());
    let headers = vec![("x-echo".to_owned(), format!("Key {KEY}"))];
    receiver.script("/", [Reply::Answer { status: 401, headers, body: said.into_bytes() }]);
    host.post("deal.created", DATA).await;
    host.settle().await;
    let answer = host.delivery().await["attempts"][0]["answer"].clone();
    assert_eq!(answer["body"], r#"{"refused": "***", "key": "***", "raw": "***"}"#);
    assert!(answer["headers"].as_array().unwrap().contains(&json!({"name": "x-echo", "value": "Key ***"})));
    assert!(rows(&host).iter().all(|column| !holds(column, "t0ken") && !holds(column, KEY)));
}

#[tokio::test]
async fn a_secret_that_is_echoed_across_the_end_of_what_is_kept_is_not_shown_in_part() {
    let (mut host, receiver, subscription) = start("tell:json:key").await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    let header = json!([{"name": "x-token", "value": "t0ken-of-theirs", "secret": true}]);
    host.ok(Method::PATCH, &path, json!({"headers": header, "retry": {"schedule_s": []}})).await;
    let kept = host.host.config.send.answer_body_bytes_max;
    for shown in 1.."t0ken-of-theirs".len() {
        let body = ["a".repeat(kept - shown).as_str(), "t0ken-of-theirs and more"].concat();
        receiver.script("/", [Reply::body(401, body.into_bytes())]);
        host.advance(Duration::from_secs(1)).await;
        host.post("deal.created", DATA).await;
        host.settle().await;
        let list = host.ok(Method::GET, "/v1/spaces/acme/deliveries?limit=1", Value::Null).await;
        let delivery = host.delivery_of(list["data"][0]["id"].as_str().unwrap()).await;
        let answer = &delivery["attempts"][0]["answer"];
        assert_eq!(answer["body"].as_str().unwrap(), "a".repeat(kept - shown), "{shown} bytes");
        assert_eq!(answer["truncated"], true);
    }
}

#[tokio::test]
async fn a_secret_is_not_sent_to_a_previous_endpoint() {
    let (mut host, receiver, subscription) = start("tell:json:key").await;
    sent(&mut host, &receiver, DATA).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    host.ok(Method::PATCH, &path, json!({"url": receiver.url("/elsewhere"), "retry": {"schedule_s": []}})).await;
    let retry = format!("/v1/spaces/acme/deliveries/{}/resend", host.delivery().await["id"].as_str().unwrap());
    let (status, problem) = host.call(Method::POST, &retry, json!({"mode": "verbatim"})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("delivery_state")));
    assert!(problem["detail"].as_str().unwrap().contains("moved to another URL"), "{problem}");

    host.ok(Method::POST, &retry, json!({"mode": "fresh"})).await;
    host.settle().await;
    assert_eq!(receiver.requests()[1].target, "/elsewhere");
}

#[tokio::test]
async fn a_secret_is_not_sent_to_a_previous_endpoint_by_a_queued_resend() {
    let (mut host, receiver, subscription) = start("tell:json:key").await;
    sent(&mut host, &receiver, DATA).await;
    let retry = format!("/v1/spaces/acme/deliveries/{}/resend", host.delivery().await["id"].as_str().unwrap());
    host.ok(Method::POST, &retry, json!({"mode": "verbatim"})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    host.ok(Method::PATCH, &path, json!({"url": receiver.url("/elsewhere")})).await;
    host.settle().await;
    assert_eq!((receiver.requests().len(), &host.delivery().await["state"]), (1, &json!("skipped")));
}

#[tokio::test]
async fn a_url_contains_no_secret() {
    let (mut host, receiver, subscription) = start("tell:form:key").await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    host.ok(Method::PATCH, &path, json!({"method": "GET"})).await;
    host.post("deal.created", DATA).await;
    host.settle().await;
    let attempt = host.delivery().await["attempts"][0].clone();
    assert_eq!((&attempt["fault"], receiver.requests().len()), (&json!("invalid_output"), 0));
    assert!(attempt["reason"].as_str().unwrap().contains("must not be in the URL"), "{attempt}");
}
