//! Shadows: what runs beside a plugin is compared with what was sent, counted, and changes nothing.

mod harmless;
mod life;

use hookmill_guests::ROGUE;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

/// A host with one subscription that this plugin shapes, and where its shadow is.
async fn start(plugin: Value) -> (TestHost, Receiver, String) {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.upload(ROGUE).await;
    let subscription = host.subscribe(&receiver.url("/"), json!({"plugin": plugin})).await;
    (host, receiver, format!("/v1/spaces/acme/subscriptions/{}/shadow", subscription["id"].as_str().unwrap()))
}

fn rogue(word: &str) -> Value {
    json!({"name": "rogue", "config": word})
}

/// Runs the shadows of all that was delivered, and reads what is known of this one.
async fn known(host: &TestHost, path: &str) -> Value {
    hookmill_server::dry_run::shadow::run_once(&host.host).await;
    host.ok(Method::GET, path, Value::Null).await
}

fn counts(shadow: &Value) -> [u64; 5] {
    ["runs", "same", "different", "skipped", "left_out"].map(|name| shadow[name].as_u64().unwrap())
}

#[tokio::test]
async fn differences_are_counted_exactly_and_a_restart_keeps_them() {
    let own = json!({"name": "template", "config": {"json": r#"{"value":{{ data.value }}}"#}});
    let (mut host, _receiver, path) = start(own).await;
    let other = r#"{"value":{% if data.n % 3 == 0 %}0{% else %}{{ data.value }}{% endif %}}"#;
    host.ok(Method::PUT, &path, json!({"config": {"json": other}})).await;
    let mut fuel = 0;
    for n in 0..40 {
        host.post("deal.won", &format!(r#"{{"n":{n},"value":12.50}}"#)).await;
    }
    host.settle().await;
    assert_eq!(
        counts(&host.ok(Method::GET, &path, Value::Null).await),
        [0; 5],
        "it runs after, not with, the deliveries"
    );
    let shadow = known(&host, &path).await;
    assert_eq!(counts(&shadow), [40, 26, 14, 0, 0]);
    assert_eq!(shadow["failed"], json!({}));
    let differences = shadow["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 10);
    let change = json!([{"part": "body", "at": "/value", "before": "12.50", "after": "0"}]);
    assert!(differences.iter().all(|difference| difference["changes"] == change), "{differences:?}");
    let list = host.ok(Method::GET, "/v1/spaces/acme/deliveries?limit=100", Value::Null).await;
    for delivery in list["data"].as_array().unwrap() {
        let delivery = host.delivery_of(delivery["id"].as_str().unwrap()).await;
        fuel += delivery["attempts"][0]["figures"]["fuel_used"].as_u64().unwrap();
    }
    assert_eq!(shadow["fuel_used_active"].as_u64(), Some(fuel));
    assert!(shadow["fuel_used"].as_u64().unwrap() > 0);

    let mut host = host.restart().await;
    assert_eq!(known(&host, &path).await, shadow);
    host.post("deal.won", r#"{"n":3,"value":1}"#).await;
    host.settle().await;
    let later = known(&host, &path).await;
    assert_eq!(counts(&later), [41, 26, 15, 0, 0]);
    assert_eq!(later["differences"][0]["changes"][0]["before"], "1", "the newest first");
    assert_eq!(later["differences"][1], shadow["differences"][0]);
}

#[tokio::test]
async fn another_version_runs_beside_and_what_it_skips_is_counted() {
    let (mut host, _receiver, path) = start(rogue("skip:no")).await;
    crate::journeys::preview::keep_second_version(&host).await;
    host.ok(Method::PUT, &path, json!({"version": "2.0.0"})).await;
    host.post("deal.won", "1").await;
    host.settle().await;
    let shadow = known(&host, &path).await;
    assert_eq!(counts(&shadow), [1, 0, 1, 0, 0]);
    let change = json!([{"part": "outcome", "at": null, "before": "skipped: no", "after": "a request"}]);
    assert_eq!(shadow["differences"][0]["changes"], change);
    host.ok(Method::PUT, &path, json!({"config": "skip:other words"})).await;
    host.post("deal.won", "1").await;
    host.settle().await;
    assert_eq!(counts(&known(&host, &path).await), [1, 1, 0, 1, 0]);
}

#[tokio::test]
async fn it_runs_on_first_attempts_of_live_events_alone() {
    let (mut host, receiver, path) = start(rogue("method:POST")).await;
    host.ok(Method::PUT, &path, json!({"config": "method:PUT"})).await;
    receiver.script("/", [Reply::status(500), Reply::status(500)]);
    host.post("deal.won", "1").await;
    host.settle().await;
    let sub = path.strip_suffix("/shadow").unwrap();
    host.ok(Method::POST, &format!("{sub}/test"), json!({"type": "deal.won", "data": 1})).await;
    host.advance(std::time::Duration::from_secs(60 * 60)).await;
    receiver.take(3).await;
    let shadow = known(&host, &path).await;
    assert_eq!(counts(&shadow), [1, 0, 1, 0, 0]);
    let change = json!([{"part": "method", "at": null, "before": "POST", "after": "PUT"}]);
    assert_eq!(shadow["differences"][0]["changes"], change);
}

#[tokio::test]
async fn a_sealed_secret_is_compared_by_name_and_not_kept() {
    let (mut host, receiver, _) = start(rogue("echo")).await;
    let plugin = json!({"plugin": rogue("secret:key"), "sealed_secrets": {"key": "sup3r-s3cret"}});
    let made = host.subscribe(&receiver.url("/sealed"), plugin).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}/shadow", made["id"].as_str().unwrap());
    host.ok(Method::PUT, &path, json!({"config": "secret:key"})).await;
    host.post("deal.won", "1").await;
    host.settle().await;
    assert_eq!(counts(&known(&host, &path).await), [1, 1, 0, 0, 0]);
    host.ok(Method::PUT, &path, json!({"config": "header:x-secret=open"})).await;
    host.post("deal.won", "1").await;
    host.settle().await;
    let shadow = known(&host, &path).await;
    assert_eq!(shadow["differences"][0]["changes"][0]["before"], "{{secret:key}}");
    let tally: String = host.database().query_row("SELECT tally FROM shadows", [], |row| row.get(0)).unwrap();
    assert!(!tally.contains("hmsec_") && !tally.contains("sup3r"), "{tally}");
}
