//! Triggers: a workflow fires when its field or its status changed and its condition holds; a field triggers one
//! workflow.

mod conflicts;
mod fields;
mod status;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::host::TestHost;

const SUBSCRIPTIONS: &str = "/v1/spaces/acme/subscriptions";

/// A workflow on this trigger, without a receiver.
async fn workflow(host: &TestHost, trigger: Value) -> Value {
    host.subscribe("http://127.0.0.1:9/", json!({"trigger": trigger})).await
}

/// Tries to create a workflow of this name on this trigger.
async fn create(host: &TestHost, name: &str, trigger: Value) -> (StatusCode, Value) {
    let url = format!("http://127.0.0.1:9/{name}");
    let workflow = json!({"name": name, "url": url, "event_types": ["deal.*"], "trigger": trigger});
    host.call(Method::POST, SUBSCRIPTIONS, workflow).await
}

/// Number of deliveries that an event with these members creates.
async fn deliveries(host: &TestHost, members: &str) -> u64 {
    let event = format!(r#"{{"type":"deal.updated",{members}}}"#);
    let (status, receipt) = host.call(Method::POST, "/v1/spaces/acme/events", event).await;
    assert_eq!(status, 202, "{receipt}");
    receipt["deliveries"].as_u64().unwrap()
}
