//! The space that attacks: its key, its receivers, and its requests. What the host refuses is right, so statuses are not
//! checked.

use std::net::SocketAddr;

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::super::host::Host;
use super::hostile::{self, Behavior};

/// The attacking space on a host.
pub(super) struct Loud {
    pub(super) address: SocketAddr,
    /// The address of a receiver that never responds.
    pub(super) hangs: SocketAddr,
    /// The address of a receiver that sends interim responses without end.
    pub(super) interim: SocketAddr,
    /// The address of a receiver that responds with 200.
    pub(super) responds: SocketAddr,
    client: Client,
    key: String,
    seed: u64,
}

impl Loud {
    /// Creates the space; returns a key of its own.
    pub(super) async fn create(host: &Host) -> anyhow::Result<String> {
        host.call(Method::POST, "/v1/spaces", &json!({"id": "loud", "name": "Loud"})).await?;
        let key = json!({"name": "loud", "role": "manage", "space": "loud"});
        let key = host.call(Method::POST, "/v1/keys", &key).await?;
        Ok(key["key"].as_str().context("the key was not returned")?.to_owned())
    }

    /// Starts the space's receivers.
    pub(super) async fn new(address: SocketAddr, key: String, seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            address,
            hangs: hostile::receiver(Behavior::Hangs).await?,
            interim: hostile::receiver(Behavior::Interim).await?,
            responds: hostile::receiver(Behavior::Responds).await?,
            client: Client::builder().no_proxy().build()?,
            key,
            seed,
        })
    }

    /// Returns a number within a fifth of `about`, the same for each run with the same seed.
    pub(super) fn vary(&self, about: usize) -> usize {
        StdRng::seed_from_u64(self.seed ^ about as u64).random_range(about - about / 5..=about + about / 5)
    }

    /// Makes a request in the space; no status if there was no response.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> (Option<StatusCode>, Value) {
        let request = self.client.request(method, format!("http://{}/v1/spaces/loud{path}", self.address));
        let request = request.bearer_auth(&self.key).header("content-type", content_type).body(body);
        let Ok(response) = request.send().await else { return (None, Value::Null) };
        (Some(response.status()), response.json().await.unwrap_or_default())
    }

    /// Makes a request without a key, and reads the whole response.
    pub(super) async fn get(&self, path: &str) {
        if let Ok(response) = self.client.get(format!("http://{}{path}", self.address)).send().await {
            let _ = response.bytes().await;
        }
    }

    /// Makes a request with JSON.
    pub(super) async fn json(&self, method: Method, path: &str, body: &Value) -> (Option<StatusCode>, Value) {
        self.call(method, path, "application/json", body.to_string()).await
    }

    /// Creates subscriptions to all events that send to `to`.
    pub(super) async fn subscribe(&self, number: usize, to: SocketAddr, more: &Value) {
        for at in 0..number {
            let url = format!("http://{to}/{at}");
            let mut subscription = json!({"name": "loud", "url": url, "event_types": ["*"], "timeout_ms": 30_000});
            if let (Some(subscription), Some(more)) = (subscription.as_object_mut(), more.as_object()) {
                subscription.extend(more.clone());
            }
            self.json(Method::POST, "/subscriptions", &subscription).await;
        }
    }

    /// Posts one event with this data, as text.
    pub(super) async fn event(&self, data: &str) {
        let body = format!(r#"{{"type":"loud.event","data":{data}}}"#);
        self.call(Method::POST, "/events", "application/json", body).await;
    }

    /// Posts `number` events with this data in one request.
    pub(super) async fn lines(&self, number: usize, data: &str) {
        let body = format!("{{\"type\":\"loud.event\",\"data\":{data}}}\n").repeat(number);
        self.call(Method::POST, "/events", "application/x-ndjson", body).await;
    }

    /// Repeats `work` on this many tasks until the attack ends.
    pub(super) async fn repeat<F: Future<Output = ()> + Send + 'static>(tasks: usize, work: impl Fn() -> F) {
        let mut running = JoinSet::new();
        for _ in 0..tasks {
            running.spawn(work());
        }
        while running.join_next().await.is_some() {
            running.spawn(work());
        }
    }
}
