//! LeadSquared: a subscription with its profile, a name, a URL and events behaves like LeadSquared.
//!
//! `tests/profiles/rules/leadsquared.md` maps rules to tests.

mod definition;
mod events;
mod history;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A lead that was added.
const CREATED: &str = "Lead_Post_Create";
const LEAD: &str = r#"{"ProspectID":"0f1e","Score":12.50,"mx_City":"Łódź"}"#;

/// A host and a receiver that responds with 200.
async fn start() -> (TestHost, Receiver) {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(200));
    (host, receiver)
}

/// A webhook for added leads: profile, name, URL, event, and `more`.
async fn webhook(host: &TestHost, url: &str, more: Value) -> Value {
    let mut webhook = json!({"profile": "leadsquared", "event_types": [CREATED]});
    webhook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host.subscribe(url, webhook).await
}

/// `In Queue 1`: the status of the single delivery, and its number of attempts.
async fn status(host: &TestHost) -> String {
    let delivery = host.delivery().await;
    format!("{} {}", delivery["profile_status"].as_str().unwrap(), delivery["attempt_count"])
}
