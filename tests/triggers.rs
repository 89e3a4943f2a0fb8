//! Triggers: a workflow is sent to when its field or its status changed, and then its condition holds; a field is the
//! trigger of one workflow.

mod conflicts;
mod fields;
mod status;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::host::TestHost;

const SUBSCRIPTIONS: &str = "/v1/spaces/acme/subscriptions";

/// A workflow on this trigger, which nobody listens to.
async fn workflow(host: &TestHost, trigger: Value) -> Value {
    host.subscribe("http://127.0.0.1:9/", json!({"trigger": trigger})).await
}

/// Tries to create a workflow of this name on this trigger.
async fn create(host: &TestHost, name: &str, trigger: Value) -> (StatusCode, Value) {
    let url = format!("http://127.0.0.1:9/{name}");
    let workflow = json!({"name": name, "url": url, "event_types": ["deal.*"], "trigger": trigger});
    host.call(Method::POST, SUBSCRIPTIONS, workflow).await
}

/// How many deliveries an event with these members makes.
async fn deliveries(host: &TestHost, members: &str) -> u64 {
    let event = format!(r#"{{"type":"deal.updated",{members}}}"#);
    let (status, receipt) = host.call(Method::POST, "/v1/spaces/acme/events", event).await;
    assert_eq!(status, 202, "{receipt}");
    receipt["deliveries"].as_u64().unwrap()
}
