//! Batching: events of one subscription and type that become one delivery, also over a crash.

mod closing;
mod crash;

use std::path::Path;
use std::time::Duration;

use hookmill_server::clock::Clock;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver, Reply};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// How long after one activity the next one comes.
const STEP: Duration = Duration::from_millis(180);

const ACTIVITY: &str = "SalesActivity_Post_Create";

/// A host, and a receiver that answers 200.
async fn start() -> (TestHost, Receiver) {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(200));
    (host, receiver)
}

/// A LeadSquared subscription to everything, with what `more` says beside it.
async fn leadsquared(host: &TestHost, url: &str, more: Value) -> Value {
    let mut subscription = json!({"profile": "leadsquared"});
    subscription.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host.subscribe(url, subscription).await
}

/// The data of an activity.
fn activity(number: usize) -> String {
    format!(r#"{{"ProspectActivityId":"a-{number}","Score":12.50}}"#)
}

/// Which activities a request carries, in order.
fn numbers(request: &Received) -> Vec<usize> {
    let activities: Value = serde_json::from_slice(&request.body).unwrap();
    let number = |activity: &Value| activity["ProspectActivityId"].as_str().unwrap()[2..].parse().unwrap();
    activities.as_array().unwrap().iter().map(number).collect()
}

/// Which activities each request carries.
fn carried(receiver: &Receiver) -> Vec<Vec<usize>> {
    receiver.requests().iter().map(numbers).collect()
}

/// All deliveries, oldest first.
async fn deliveries(host: &TestHost) -> Vec<Value> {
    let list = host.ok(Method::GET, "/v1/spaces/acme/deliveries?limit=200", Value::Null).await;
    list["data"].as_array().unwrap().iter().rev().cloned().collect()
}

/// What a crash at this moment leaves in the data directory: to be asked while nothing is being written.
fn crash_image(data_dir: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    for file in ["hookmill.db", "hookmill.db-wal"] {
        std::fs::copy(data_dir.join(file), image.path().join(file)).unwrap();
    }
    image
}

/// A caller of the API that does not need the host, which is busy.
struct Poster {
    client: Client,
    url: String,
    key: String,
    clock: Clock,
}

impl Poster {
    fn of(host: &TestHost) -> Self {
        let url = format!("{}/v1/spaces/acme/events", host.base);
        let client = Client::builder().no_proxy().build().unwrap();
        Self { client, url, key: host.key.clone(), clock: host.clock.clone() }
    }

    /// Posts an activity; then the clock goes on.
    async fn post(&self, number: usize) {
        let body = format!(r#"{{"type":"{ACTIVITY}","data":{}}}"#, activity(number));
        let request = self.client.post(&self.url).bearer_auth(&self.key).header("content-type", "application/json");
        assert_eq!(request.body(body).send().await.unwrap().status(), 202);
        self.clock.advance(STEP);
    }
}
