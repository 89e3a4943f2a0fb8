//! Pinning a version, following a range, and going back.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ANY, SUBSCRIPTIONS, assert_problem, exact, made, patch, plugin, rollback, shown, subscribe, upload};
use crate::support::host::TestHost;
use crate::support::receiver::Receiver;

const URL: &str = "http://127.0.0.1:9/";

#[tokio::test]
async fn a_subscription_follows_the_newest_release_of_its_range_and_a_pinned_one_stays() {
    let host = TestHost::start().await;
    upload(&host, &["1.1.0", "1.2.0", "2.0.0"]).await;
    let pinned = subscribe(&host, &format!("{URL}1"), json!({"version": "1.1.0"})).await;
    let caret = subscribe(&host, &format!("{URL}2"), json!({"version": "^1.1"})).await;
    let star = subscribe(&host, &format!("{URL}3"), json!({"version": "1.x"})).await;
    let candidate = subscribe(&host, &format!("{URL}4"), json!({"version": ">=2.0.0-rc.1"})).await;
    let newest = subscribe(&host, &format!("{URL}5"), json!({})).await;
    let all = async || {
        let mut all = Vec::new();
        for path in [&pinned, &caret, &star, &candidate, &newest] {
            all.push(shown(&host, path).await);
        }
        all
    };
    assert_eq!(all().await, ["1.1.0 pinned", "1.2.0 ^1.1", "1.2.0 1.x", "2.0.0 >=2.0.0-rc.1", "2.0.0 pinned"]);
    // Neither a pre-release nor an older one moves anybody.
    upload(&host, &["1.4.0-beta.1", "1.1.5"]).await;
    assert_eq!(all().await, ["1.1.0 pinned", "1.2.0 ^1.1", "1.2.0 1.x", "2.0.0 >=2.0.0-rc.1", "2.0.0 pinned"]);
    upload(&host, &["1.10.0", "3.0.0"]).await;
    assert_eq!(all().await, ["1.1.0 pinned", "1.10.0 ^1.1", "1.10.0 1.x", "3.0.0 >=2.0.0-rc.1", "2.0.0 pinned"]);
}

#[tokio::test]
async fn a_pre_release_is_followed_only_by_whose_range_names_one() {
    let host = TestHost::start().await;
    upload(&host, &["1.0.0", "2.0.0-rc.1"]).await;
    let release = subscribe(&host, &format!("{URL}1"), json!({"version": ">=1"})).await;
    let candidate = subscribe(&host, &format!("{URL}2"), json!({"version": ">=2.0.0-rc.1"})).await;
    upload(&host, &["2.0.0-rc.2"]).await;
    assert_eq!(
        [shown(&host, &release).await, shown(&host, &candidate).await],
        ["1.0.0 >=1", "2.0.0-rc.2 >=2.0.0-rc.1"]
    );
    let (status, problem) = host
        .call(
            Method::POST,
            SUBSCRIPTIONS,
            json!({"name": "x", "url": URL, "event_types": ["*"], "plugin": {"name": "made", "version": "^7"}}),
        )
        .await;
    assert_eq!((status.as_u16(), &problem["field"]), (422, &json!("/plugin/version")), "{problem}");
    let wrong = json!({"plugin": {"version": "newest"}});
    let (status, problem) = host.call(Method::PATCH, &release, wrong).await;
    assert_eq!((status.as_u16(), &problem["field"]), (422, &json!("/plugin/version")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("^1.2"), "{problem}");
}

#[tokio::test]
async fn the_version_that_is_followed_is_what_shapes_the_next_delivery() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    upload(&host, &["1.1.0"]).await;
    subscribe(&host, &receiver.url("/"), json!({"version": "^1"})).await;
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        upload(&host, &[version]).await;
        host.post("deal.won", "1").await;
        host.settle().await;
        assert_eq!(receiver.take(1).await[0].header("x-version"), Some(version));
    }
}

#[tokio::test]
async fn a_configuration_that_does_not_fit_the_new_version_stays_with_the_old_and_says_why() {
    let host = TestHost::start().await;
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, URL, json!({"version": "^1"})).await;
    host.upload(made("1.2.0", r#"{"properties":{"a":{"type":"string"}}}"#)).await;
    assert_eq!(shown(&host, &path).await, "1.1.0 ^1");
    let held_back = plugin(&host, &path).await["held_back"].take();
    assert_eq!(held_back, json!("1.2.0: /a: 1 is not of type \"string\""));
    // What else is changed of it leaves it as it is; a configuration that fits lets it go on.
    let renamed = patch(&host, &path, json!({"name": "renamed", "plugin": {"pause_after": 5}})).await;
    assert_eq!((&renamed["plugin"]["held_back"], &renamed["plugin"]["version"]), (&held_back, &json!("1.1.0")));
    let (status, problem) = host.call(Method::PATCH, &path, json!({"plugin": {"config": {"a": 2}}})).await;
    assert_eq!((status.as_u16(), &problem["field"]), (422, &json!("/plugin/config/a")), "{problem}");
    let fits = patch(&host, &path, json!({"plugin": {"config": {"a": "1"}}})).await;
    assert_eq!((&fits["plugin"]["held_back"], &fits["plugin"]["version"]), (&Value::Null, &json!("1.2.0")));
    assert_eq!(fits["plugin"]["pause_after"], 5);
}

#[tokio::test]
async fn a_version_that_held_a_subscription_back_does_so_no_longer_once_it_is_deleted() {
    let host = TestHost::start().await;
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, URL, json!({"version": "^1"})).await;
    host.upload(made("1.2.0", r#"{"required":["b"]}"#)).await;
    assert!(plugin(&host, &path).await["held_back"].as_str().unwrap().starts_with("1.2.0: "));
    host.ok(Method::DELETE, "/v1/spaces/acme/plugins/made/1.2.0", Value::Null).await;
    assert_eq!(plugin(&host, &path).await["held_back"], Value::Null);
    upload(&host, &["1.2.1"]).await;
    assert_eq!(shown(&host, &path).await, "1.2.1 ^1");
}

#[tokio::test]
async fn a_version_that_came_while_the_host_did_not_look_is_followed_at_its_next_start() {
    let host = TestHost::start().await;
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, URL, json!({"version": "^1"})).await;
    // As if the host had ended between keeping the version and moving the subscription.
    let component = made("1.2.0", ANY);
    let mut plugins = host.host.store.plugins(&"acme".parse().unwrap(), Some(&"made".parse().unwrap())).await.unwrap();
    let mut newer = plugins.remove(0);
    newer.version = "1.2.0".parse().unwrap();
    newer.digest = hookmill_model::Digest::of(component);
    assert!(host.host.store.put_plugin(&newer, component.into()).await.unwrap());
    assert_eq!(shown(&host, &path).await, "1.1.0 ^1");
    let host = host.restart().await;
    assert_eq!(shown(&host, &path).await, "1.2.0 ^1");
    assert_eq!(rollback(&host, &path).await["plugin"]["version"], "1.1.0");
}

#[tokio::test]
async fn a_rollback_brings_back_version_and_configuration_and_stays_there() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, &receiver.url("/"), json!({"version": "^1", "config": exact()})).await;
    let nothing = host.call(Method::POST, &format!("{path}/rollback"), "").await;
    assert_problem(nothing, "no_earlier_plugin", &["nothing to roll back to"]);
    // Neither of these is another plugin.
    patch(&host, &path, json!({"plugin": {"on_failure": "retry"}, "name": "renamed"})).await;
    let nothing = host.call(Method::POST, &format!("{path}/rollback"), "").await;
    assert_problem(nothing, "no_earlier_plugin", &[]);

    upload(&host, &["1.2.0"]).await;
    let changed = patch(&host, &path, json!({"plugin": {"config": {"n": 2}}})).await;
    let history = changed["plugin_history"].as_array().unwrap();
    let versions: Vec<_> = history.iter().map(|plugin| plugin["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["1.1.0", "1.2.0"]);

    let once = rollback(&host, &path).await;
    assert_eq!(once["plugin"]["config"].to_string(), r#"{"n":12.50}"#);
    assert_eq!((&once["plugin"]["version"], &once["plugin"]["follows"]), (&json!("1.2.0"), &Value::Null));
    assert_eq!(once["plugin"]["on_failure"], "retry");
    upload(&host, &["1.3.0"]).await;
    assert_eq!(shown(&host, &path).await, "1.2.0 pinned");
    host.post("deal.won", "1").await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    assert_eq!((request.header("x-version"), request.text()), (Some("1.2.0"), r#"{"n":12.50}"#));
    // What is before the last change is what the first rollback left.
    assert_eq!(rollback(&host, &path).await["plugin"]["config"], json!({"n": 2}));
}

#[tokio::test]
async fn a_plugin_that_was_taken_away_comes_back_by_a_rollback() {
    let host = TestHost::start().await;
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, URL, json!({"on_failure": "default_shape", "pause_after": 3})).await;
    assert_eq!(patch(&host, &path, json!({"plugin": null})).await["plugin"], Value::Null);
    let back = rollback(&host, &path).await;
    assert_eq!((&back["plugin"]["version"], &back["plugin"]["pause_after"]), (&json!("1.1.0"), &json!(3)));
    assert_eq!(back["plugin"]["on_failure"], "default_shape");
    let nothing = host.call(Method::POST, &format!("{path}/rollback"), "").await;
    assert_problem(nothing, "no_earlier_plugin", &[]);
}

#[tokio::test]
async fn ten_earlier_plugins_are_kept() {
    let host = TestHost::start().await;
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, URL, json!({"config": {"n": 0}})).await;
    for n in 1..=12 {
        patch(&host, &path, json!({"plugin": {"config": {"n": n}}})).await;
    }
    let subscription = host.ok(Method::GET, &path, Value::Null).await;
    assert_eq!(subscription["plugin_history"].as_array().unwrap().len(), 10);
    assert_eq!(rollback(&host, &path).await["plugin"]["config"], json!({"n": 11}));
}
