//! A delivery finishes with the code and the configuration that it began with.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{exact, patch, subscribe, upload};
use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver, Reply};

/// The version that shaped a request, and its body.
fn made_by(request: &Received) -> (&str, &str) {
    (request.header("x-version").unwrap_or("default"), request.text())
}

/// A delivery whose first attempt was shaped by 1.1.0 and refused, and whose subscription has another version and another
/// configuration since.
async fn changed_between(receiver: &Receiver) -> (TestHost, String) {
    let mut host = TestHost::start().await;
    receiver.script("/", [Reply::status(500), Reply::status(500)]);
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, &receiver.url("/"), json!({"version": "^1", "config": exact()})).await;
    host.post("deal.won", "1").await;
    host.settle().await;
    assert_eq!(made_by(&receiver.take(1).await[0]), ("1.1.0", r#"{"n":12.50}"#));
    upload(&host, &["1.2.0"]).await;
    patch(&host, &path, json!({"plugin": {"config": {"n": 2}}})).await;
    (host, path)
}

#[tokio::test]
async fn each_retry_has_the_bytes_of_the_first_attempt_whatever_the_subscription_uses_by_then() {
    let receiver = Receiver::start().await;
    let (mut host, path) = changed_between(&receiver).await;
    host.advance(Duration::from_secs(10)).await;
    assert_eq!(made_by(&receiver.take(1).await[0]), ("1.1.0", r#"{"n":12.50}"#));
    host.ok(Method::PATCH, &path, json!({"plugin": null})).await;
    host.advance(Duration::from_secs(20)).await;
    assert_eq!(made_by(&receiver.take(1).await[0]), ("1.1.0", r#"{"n":12.50}"#));
    let delivery = host.delivery().await;
    let digests: Vec<_> = delivery["attempts"].as_array().unwrap().iter().map(|one| &one["plugin_digest"]).collect();
    assert_eq!((delivery["state"].as_str(), digests.len()), (Some("delivered"), 3));
    assert!(digests.iter().all(|digest| digest.is_string() && *digest == digests[0]), "{digests:?}");
}

#[tokio::test]
async fn what_a_delivery_began_with_survives_a_restart() {
    let receiver = Receiver::start().await;
    let (host, _) = changed_between(&receiver).await;
    let mut host = host.restart().await;
    host.advance(Duration::from_secs(10)).await;
    assert_eq!(made_by(&receiver.take(1).await[0]), ("1.1.0", r#"{"n":12.50}"#));
}

#[tokio::test]
async fn a_delivery_that_began_in_the_default_shape_ends_in_it() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/", [Reply::status(500)]);
    upload(&host, &["1.1.0"]).await;
    let path = subscribe(&host, &receiver.url("/"), json!({})).await;
    patch(&host, &path, json!({"plugin": null})).await;
    host.post("deal.won", "1").await;
    host.settle().await;
    let first = receiver.take(1).await.remove(0);
    patch(&host, &path, json!({"plugin": {"name": "made", "config": {}}})).await;
    host.advance(Duration::from_secs(10)).await;
    let second = receiver.take(1).await.remove(0);
    assert_eq!((made_by(&second).0, second.text()), ("default", first.text()));
    host.post("deal.won", "1").await;
    host.settle().await;
    assert_eq!(made_by(&receiver.take(1).await[0]), ("1.1.0", "{}"));
}

#[tokio::test]
async fn a_fresh_retry_is_shaped_by_what_the_subscription_uses_today_and_an_exact_one_repeats() {
    let receiver = Receiver::start().await;
    let (mut host, path) = changed_between(&receiver).await;
    let id = host.delivery().await["id"].as_str().unwrap().to_owned();
    let retry = format!("/v1/spaces/acme/deliveries/{id}/resend");
    host.ok(Method::POST, &retry, json!({"mode": "fresh"})).await;
    host.settle().await;
    assert_eq!(made_by(&receiver.take(1).await[0]), ("1.2.0", r#"{"n":2}"#));
    // That failed as well; what it was made with is what it stays with, from then on.
    patch(&host, &path, json!({"plugin": {"config": {"n": 3}}})).await;
    host.advance(Duration::from_secs(20)).await;
    assert_eq!(made_by(&receiver.take(1).await[0]), ("1.2.0", r#"{"n":2}"#));
    assert_eq!(host.delivery().await["state"], "delivered");
    host.ok(Method::POST, &retry, json!({"mode": "verbatim"})).await;
    host.settle().await;
    assert_eq!(made_by(&receiver.take(1).await[0]), ("1.2.0", r#"{"n":2}"#));
    host.ok(Method::POST, &retry, json!({"mode": "fresh"})).await;
    host.settle().await;
    assert_eq!(made_by(&receiver.take(1).await[0]), ("1.2.0", r#"{"n":3}"#));
}

#[tokio::test]
async fn a_cancelled_delivery_keeps_no_version_in_use() {
    let receiver = Receiver::start().await;
    let (host, _) = changed_between(&receiver).await;
    let delete = async || host.call(Method::DELETE, "/v1/spaces/acme/plugins/made/1.1.0", "").await.0;
    assert_eq!(delete().await, 409);
    let id = host.delivery().await["id"].as_str().unwrap().to_owned();
    host.ok(Method::POST, &format!("/v1/spaces/acme/deliveries/{id}/cancel"), Value::Null).await;
    assert_eq!(delete().await, 204);
}

#[tokio::test]
async fn a_deleted_subscriptions_delivery_keeps_no_version_in_use() {
    let receiver = Receiver::start().await;
    let (host, path) = changed_between(&receiver).await;
    host.ok(Method::DELETE, &path, Value::Null).await;
    assert_eq!(host.call(Method::DELETE, "/v1/spaces/acme/plugins/made/1.1.0", "").await.0, 204);
}
