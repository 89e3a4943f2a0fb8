//! Deleting a version that nobody uses.

use hookmill_model::Digest;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ANY, assert_problem, made, patch, subscribe, upload};
use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

const PLUGINS: &str = "/v1/spaces/acme/plugins";
const URL: &str = "http://127.0.0.1:9/";

async fn delete(host: &TestHost, version: &str) -> (reqwest::StatusCode, Value) {
    host.call(Method::DELETE, &format!("{PLUGINS}/made/{version}"), "").await
}

async fn has_component(host: &TestHost, version: &str) -> bool {
    host.host.store.component(Digest::of(made(version, ANY))).await.unwrap().is_some()
}

#[tokio::test]
async fn a_version_that_nobody_uses_goes_with_its_component() {
    let host = TestHost::start().await;
    upload(&host, &["1.1.0", "1.2.0"]).await;
    assert_eq!(delete(&host, "1.1.0").await.0, 204);
    assert_eq!(delete(&host, "1.1.0").await.0, 404);
    assert!(!has_component(&host, "1.1.0").await && has_component(&host, "1.2.0").await);
    let left = host.ok(Method::GET, &format!("{PLUGINS}/made"), Value::Null).await;
    assert_eq!(left["data"].as_array().unwrap().len(), 1);
    // Under the same name and version there may be another component then.
    host.upload(made("1.1.0", r#"{"type":"object"}"#)).await;
}

#[tokio::test]
async fn a_version_that_subscriptions_use_stays_and_names_them() {
    let host = TestHost::start().await;
    upload(&host, &["1.1.0", "1.2.0"]).await;
    let path = subscribe(&host, &format!("{URL}0"), json!({"version": "1.1.0"})).await;
    let id = path.rsplit('/').next().unwrap();
    assert_problem(delete(&host, "1.1.0").await, "plugin_in_use", &["1 subscriptions", "`test`", id]);
    for n in 1..25 {
        subscribe(&host, &format!("{URL}{n}"), json!({"version": "1.1.0"})).await;
    }
    let (status, problem) = delete(&host, "1.1.0").await;
    assert_eq!(problem["detail"].as_str().unwrap().matches("sub_").count(), 20);
    assert_problem((status, problem), "plugin_in_use", &["25 subscriptions", "…"]);
    host.ok(Method::DELETE, &path, Value::Null).await;
    assert_problem(delete(&host, "1.1.0").await, "plugin_in_use", &["24 subscriptions"]);
}

#[tokio::test]
async fn what_was_used_before_can_be_deleted_and_a_rollback_to_it_says_so() {
    let host = TestHost::start().await;
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, URL, json!({"version": "^1"})).await;
    upload(&host, &["1.2.0"]).await;
    assert_eq!(delete(&host, "1.1.0").await.0, 204);
    let gone = host.call(Method::POST, &format!("{path}/rollback"), "").await;
    assert_problem(gone, "plugin_deleted", &["`made` 1.1.0", "deleted"]);
    upload(&host, &["1.1.0"]).await;
    host.ok(Method::POST, &format!("{path}/rollback"), Value::Null).await;
}

#[tokio::test]
async fn a_version_with_which_a_delivery_is_yet_to_be_tried_again_stays_until_that_is_done() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/", [Reply::status(500)]);
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, &receiver.url("/"), json!({"version": "1.1.0"})).await;
    host.post("deal.won", "1").await;
    host.settle().await;
    upload(&host, &["1.2.0"]).await;
    patch(&host, &path, json!({"plugin": {"version": "1.2.0"}})).await;
    let id = host.delivery().await["id"].as_str().unwrap().to_owned();
    assert_problem(delete(&host, "1.1.0").await, "plugin_in_use", &["1 deliveries", &id]);
    host.advance(std::time::Duration::from_secs(10)).await;
    assert_eq!(host.delivery().await["state"], "delivered");
    assert_eq!(delete(&host, "1.1.0").await.0, 204);
    assert!(!has_component(&host, "1.1.0").await);
}

#[tokio::test]
async fn a_bundled_version_cannot_be_deleted_nor_one_of_another_space() {
    let host = TestHost::start().await;
    let zapier = host.ok(Method::GET, &format!("{PLUGINS}/zapier"), Value::Null).await;
    let version = zapier["data"][0]["version"].as_str().unwrap();
    let bundled = host.call(Method::DELETE, &format!("{PLUGINS}/zapier/{version}"), "").await;
    assert_problem(bundled, "plugin_bundled", &["is bundled with the host"]);
    host.ok(Method::POST, "/v1/spaces", json!({"id": "other"})).await;
    upload(&host, &["1.1.0"]).await;
    let elsewhere = host.call(Method::DELETE, "/v1/spaces/other/plugins/made/1.1.0", "").await;
    assert_eq!(elsewhere.0, 404);
}

#[tokio::test]
async fn a_component_that_another_space_uses_too_stays() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, &receiver.url("/"), json!({})).await;
    host.ok(Method::POST, "/v1/spaces", json!({"id": "other"})).await;
    let uploaded = host.host.store.plugins(&"acme".parse().unwrap(), Some(&"made".parse().unwrap())).await.unwrap();
    let mut other = uploaded[0].clone();
    other.space = Some("other".parse().unwrap());
    host.host.store.put_plugin(&other, made("1.1.0", ANY).into()).await.unwrap();
    let deleted = host.call(Method::DELETE, "/v1/spaces/other/plugins/made/1.1.0", "").await;
    assert_eq!(deleted.0, 204);
    assert!(has_component(&host, "1.1.0").await);
    host.post("deal.won", "1").await;
    host.settle().await;
    assert_eq!(receiver.take(1).await[0].header("x-version"), Some("1.1.0"));
    host.ok(Method::DELETE, &path, Value::Null).await;
}
