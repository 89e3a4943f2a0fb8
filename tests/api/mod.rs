//! The HTTP API: its responses, and their conformance to the API description.
//!
//! The test client validates every response against the description ([`client`]); an undocumented status fails the test.

mod access;
mod client;
mod connections;
mod defaults;
mod deliveries;
mod document;
mod events;
mod finding;
mod hostile;
mod input;
mod listing;
mod matches;
mod paging;
mod plugins;
mod searching;
mod secrecy;
mod spaces;
mod subscriptions;

use std::sync::{Arc, Once};

use hookmill_model::SpaceId;
use hookmill_server::clock::Clock;
use hookmill_server::config::Config;
use hookmill_server::host::Host;
use hookmill_store::{DeliveryFilter, DeliveryHead};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::AbortHandle;

use crate::support::host::{BINARY, compiled_dir};
use client::{Answer, Client};

/// A host that accepts events but does not deliver.
pub struct TestApi {
    pub host: Arc<Host>,
    /// A client with an admin key.
    pub admin: Client,
    server: AbortHandle,
    _dir: TempDir,
}

impl Drop for TestApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl TestApi {
    /// Starts it with a space `crm`.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(configure: impl FnOnce(&mut Config)) -> Self {
        static TLS: Once = Once::new();
        TLS.call_once(|| _ = rustls::crypto::ring::default_provider().install_default());
        let dir = TempDir::new().unwrap();
        let (data_dir, compiled_dir) = (dir.path().to_owned(), Some(compiled_dir()));
        let mut config = Config { data_dir, compiled_dir, ..Config::default() };
        config.plugin.transforms_max = 1;
        configure(&mut config);
        let opened = hookmill_server::open(config, Clock::system(), BINARY.into()).await.unwrap();
        let (host, key) = (opened.0, opened.1.unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = hookmill_api::router(host.clone()).await.unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        let admin = Client::connect(address, &key).await;
        admin.post("/v1/spaces", json!({"id": "crm"})).await.expect(201);
        Self { host, admin, server, _dir: dir }
    }

    /// A client with a key of the space `crm`.
    pub async fn with_role(&self, role: &str) -> Client {
        let made = self.admin.post("/v1/keys", json!({"name": role, "role": role, "space": "crm"})).await.expect(201);
        self.admin.with_key(made["key"].as_str().unwrap())
    }

    /// Creates a subscription in `crm` to all events, with these additional members; returns its view.
    pub async fn subscribe(&self, members: Value) -> Value {
        self.admin.post("/v1/spaces/crm/subscriptions?allow_identical=true", subscription(members)).await.expect(201)
    }

    /// Returns the deliveries in `crm` from the store.
    pub async fn deliveries(&self) -> Vec<DeliveryHead> {
        let space = SpaceId::parse("crm").unwrap();
        self.host.store.deliveries(&space, DeliveryFilter::default(), 100).await.unwrap().entries
    }
}

/// A subscription with its required members and these.
pub fn subscription(members: Value) -> Value {
    let mut whole = json!({"name": "Zapier", "url": "https://hooks.example.com/1", "event_types": ["*"]});
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

/// Asserts that the response is a problem with this status, code and field.
pub fn assert_problem(answer: &Answer, status: u16, code: &str, field: Option<&str>) {
    let json = answer.json();
    let shown = (answer.status, json["code"].as_str().unwrap_or_default(), json["field"].as_str());
    assert_eq!(shown, (status, code, field), "{}", answer.text);
    assert_eq!(json["status"], status);
    assert!(json["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{}", answer.text);
}
