//! A receiver for load: answers 204 at once and keeps of each request only who it was and when.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub path: String,
    pub event_id: String,
    /// The delivery, by its `webhook-id`.
    pub delivery_id: String,
    /// The ids of all its events as their data has them (`id`), if the body is a list of default shapes.
    pub gathered: Vec<String>,
    pub at: Timestamp,
}

/// The receiver.
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    arrivals: Mutex<Vec<Arrival>>,
    came: Notify,
}

impl Sink {
    /// Starts on loopback.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let app = Router::new().fallback(arrive).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, shared }
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until each of these events came at least once, or the time is up; how often each came.
    pub async fn wait_for_all(&self, events: &HashSet<String>, patience: Duration) -> HashMap<String, u64> {
        let deadline = Instant::now() + patience;
        loop {
            let mut seen = HashMap::new();
            for arrival in self.shared.arrivals.lock().unwrap().iter() {
                *seen.entry(arrival.event_id.clone()).or_default() += 1;
            }
            if events.iter().all(|id| seen.contains_key(id)) || !self.more(deadline).await {
                return seen;
            }
        }
    }

    /// Waits until so many requests came, or the time is up.
    pub async fn wait_for_count(&self, count: usize, deadline: Instant) -> Vec<Arrival> {
        loop {
            let arrivals = self.shared.arrivals.lock().unwrap().clone();
            if arrivals.len() >= count || !self.more(deadline).await {
                return arrivals;
            }
        }
    }

    async fn more(&self, deadline: Instant) -> bool {
        tokio::time::timeout_at(deadline, self.shared.came.notified()).await.is_ok()
    }
}

async fn arrive(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let events: Vec<Value> = if body.starts_with(b"[") { serde_json::from_slice(&body).unwrap() } else { Vec::new() };
    let arrival = Arrival {
        path: uri.path().to_owned(),
        event_id: text("hookmill-event-id"),
        delivery_id: text("webhook-id"),
        gathered: events.iter().filter_map(|event| Some(event["data"]["id"].as_str()?.to_owned())).collect(),
        at: Timestamp::now(),
    };
    shared.arrivals.lock().unwrap().push(arrival);
    // One permit is kept, so a request that comes while nobody waits is not missed.
    shared.came.notify_one();
    StatusCode::NO_CONTENT
}
