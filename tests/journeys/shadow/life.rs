//! A shadow's life: set, replaced, promoted, dropped, and gone with its subscription.

use reqwest::Method;
use serde_json::{Value, json};

use super::{counts, known, rogue, start};
use crate::support::host::TestHost;

async fn deliver(host: &mut TestHost, events: usize) {
    for _ in 0..events {
        host.post("deal.won", r#"{"n":1}"#).await;
    }
    host.settle().await;
}

fn rows(host: &TestHost) -> i64 {
    host.database().query_row("SELECT count(*) FROM shadows", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn the_same_shadow_goes_on_and_another_begins_anew() {
    let (mut host, _receiver, path) = start(rogue("method:POST")).await;
    let first = host.ok(Method::PUT, &path, json!({"config": "method:PUT"})).await;
    deliver(&mut host, 2).await;
    assert_eq!(counts(&known(&host, &path).await), [2, 0, 2, 0, 0]);
    host.advance(std::time::Duration::from_secs(1)).await;
    let again = host.ok(Method::PUT, &path, json!({"config": "method:PUT"})).await;
    assert_eq!((counts(&again), &again["started_at"]), ([2, 0, 2, 0, 0], &first["started_at"]));
    let sub = path.strip_suffix("/shadow").unwrap();
    host.ok(Method::PATCH, sub, json!({"name": "renamed"})).await;
    assert_eq!(counts(&known(&host, &path).await), [2, 0, 2, 0, 0], "another change leaves it alone");

    deliver(&mut host, 1).await;
    let other = host.ok(Method::PUT, &path, json!({"config": "method:PATCH"})).await;
    assert_eq!(counts(&other), [0; 5]);
    assert_ne!(other["started_at"], first["started_at"]);
    assert_eq!(counts(&known(&host, &path).await), [0; 5], "what waited for the other one is not this one's");
}

#[tokio::test]
async fn a_promoted_shadow_is_the_plugin_and_no_shadow_any_more() {
    let (mut host, receiver, path) = start(rogue("method:POST")).await;
    host.ok(Method::PUT, &path, json!({"config": "method:PUT"})).await;
    deliver(&mut host, 1).await;
    let promoted = host.ok(Method::POST, &format!("{path}/promote"), Value::Null).await;
    assert_eq!((&promoted["plugin"]["config"], &promoted["shadow"]), (&json!("method:PUT"), &Value::Null));
    hookmill_server::dry_run::shadow::run_once(&host.host).await;
    assert_eq!(rows(&host), 0);
    deliver(&mut host, 1).await;
    let methods: Vec<_> = receiver.take(2).await.into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "PUT"]);
    let (status, problem) = host.call(Method::GET, &path, "").await;
    assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("not_found")));
    let sub = path.strip_suffix("/shadow").unwrap();
    let back = host.ok(Method::POST, &format!("{sub}/rollback"), Value::Null).await;
    assert_eq!(back["plugin"]["config"], "method:POST");
}

#[tokio::test]
async fn a_version_that_runs_as_a_shadow_is_in_use() {
    let (host, _receiver, path) = start(rogue("method:POST")).await;
    crate::journeys::preview::keep_second_version(&host).await;
    let range = host.ok(Method::PUT, &path, json!({"version": ">=1"})).await;
    assert_eq!((&range["plugin"]["version"], &range["plugin"]["follows"]), (&json!("2.0.0"), &json!(">=1")));
    let version = "/v1/spaces/acme/plugins/rogue/2.0.0";
    let (status, problem) = host.call(Method::DELETE, version, "").await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("plugin_in_use")));
    host.ok(Method::DELETE, &path, Value::Null).await;
    host.ok(Method::DELETE, version, Value::Null).await;
}

#[tokio::test]
async fn a_dropped_shadow_is_gone_with_what_waited_for_it() {
    let (mut host, _receiver, path) = start(rogue("method:POST")).await;
    host.ok(Method::PUT, &path, json!({"config": "method:PUT"})).await;
    deliver(&mut host, 2).await;
    host.ok(Method::DELETE, &path, Value::Null).await;
    hookmill_server::dry_run::shadow::run_once(&host.host).await;
    assert_eq!(rows(&host), 0);
    host.ok(Method::PUT, &path, json!({"config": "method:GET"})).await;
    assert_eq!(counts(&known(&host, &path).await), [0; 5]);
}

#[tokio::test]
async fn a_shadow_rests_with_its_paused_subscription_and_goes_with_a_deleted_one() {
    let (mut host, _receiver, path) = start(rogue("method:POST")).await;
    let sub = path.strip_suffix("/shadow").unwrap();
    host.ok(Method::PUT, &path, json!({"config": "method:PUT"})).await;
    deliver(&mut host, 1).await;
    host.ok(Method::POST, &format!("{sub}/pause"), Value::Null).await;
    deliver(&mut host, 3).await;
    assert_eq!(counts(&known(&host, &path).await), [1, 0, 1, 0, 0]);
    host.ok(Method::POST, &format!("{sub}/activate"), Value::Null).await;
    deliver(&mut host, 1).await;
    assert_eq!(counts(&known(&host, &path).await), [2, 0, 2, 0, 0]);

    deliver(&mut host, 1).await;
    host.ok(Method::DELETE, sub, Value::Null).await;
    hookmill_server::dry_run::shadow::run_once(&host.host).await;
    assert_eq!(rows(&host), 0);
    assert_eq!(host.call(Method::GET, &path, "").await.0, 404);
}

#[tokio::test]
async fn a_shadow_must_be_something_that_can_run() {
    let (host, _receiver, path) = start(rogue("method:POST")).await;
    for (body, field) in [(json!({"config": 7}), "/config"), (json!({"version": "3.0.0"}), "/version"), (json!({}), "")]
    {
        let (status, problem) = host.call(Method::PUT, &path, body).await;
        assert_eq!((status.as_u16(), &problem["field"]), (422, &json!(field)), "{problem}");
    }
    assert_eq!(rows(&host), 0);
}
