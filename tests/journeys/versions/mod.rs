//! Versions of plugins: following them, going back, deleting them, and deliveries that finish with what they began with.

mod deleting;
mod failing;
mod following;
mod guest;
mod retrying;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
pub use guest::made;

const SUBSCRIPTIONS: &str = "/v1/spaces/acme/subscriptions";

/// A schema that takes anything.
const ANY: &str = "{}";

/// A configuration with a number that a JSON library likes to change.
fn exact() -> Value {
    serde_json::from_str(r#"{"n":12.50}"#).unwrap()
}

/// Uploads these versions of the plugin `made`, which take any configuration.
async fn upload(host: &TestHost, versions: &[&str]) {
    for version in versions {
        host.upload(made(version, ANY)).await;
    }
}

/// Creates a subscription with this plugin, `made` unless it says otherwise; answers its path.
async fn subscribe(host: &TestHost, url: &str, plugin: Value) -> String {
    let mut whole = json!({"name": "made", "config": {"a": 1}});
    whole.as_object_mut().unwrap().extend(plugin.as_object().unwrap().clone());
    let retry = json!({"schedule_s": [10, 20], "jitter_percent": 0});
    let made = host.subscribe(url, json!({"plugin": whole, "retry": retry})).await;
    format!("{SUBSCRIPTIONS}/{}", made["id"].as_str().unwrap())
}

/// What is shown of a subscription's plugin.
async fn plugin(host: &TestHost, path: &str) -> Value {
    host.ok(Method::GET, path, Value::Null).await["plugin"].take()
}

/// `1.2.0 ^1`: the version that runs, and the range that is followed.
async fn shown(host: &TestHost, path: &str) -> String {
    let plugin = plugin(host, path).await;
    format!("{} {}", plugin["version"].as_str().unwrap(), plugin["follows"].as_str().unwrap_or("pinned"))
}

async fn patch(host: &TestHost, path: &str, patch: Value) -> Value {
    host.ok(Method::PATCH, path, patch).await
}

async fn rollback(host: &TestHost, path: &str) -> Value {
    host.ok(Method::POST, &format!("{path}/rollback"), Value::Null).await
}

/// Asserts that this is a problem of that code, with these words.
fn assert_problem((status, problem): (reqwest::StatusCode, Value), code: &str, words: &[&str]) {
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!(code)), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    words.iter().for_each(|word| assert!(detail.contains(word), "{word}: {detail}"));
}
