//! The demo's receiver: responds as each path requires, and checks every signature with the official verifier.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, Method, StatusCode, Uri};
use jiff::Timestamp;
use standardwebhooks::Webhook;
use tokio::sync::mpsc;

/// A request as it arrived.
pub(super) struct Received {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) at: Timestamp,
    /// The verifier's result.
    pub(super) signature: Result<(), String>,
}

impl Received {
    /// A header as text, empty if it is missing.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The path, which identifies the subscription.
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }
}

struct Shared {
    verifier: Webhook,
    /// How many requests the path `/fails-twice` still rejects.
    rejections: Mutex<u32>,
    received: mpsc::UnboundedSender<Received>,
}

/// Starts a receiver on loopback that verifies with `secret`; the channel returns the requests.
pub(super) async fn start(secret: &str) -> anyhow::Result<(SocketAddr, mpsc::UnboundedReceiver<Received>)> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let shared = Shared { verifier: Webhook::new(secret)?, rejections: Mutex::new(2), received: sender };
    let app = Router::new().fallback(receive).with_state(Arc::new(shared));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok((address, receiver))
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let at = Timestamp::now();
    let signature = shared.verifier.verify(&body, &headers).map_err(|err| err.to_string());
    let status = if uri.path() == "/fails-twice" { shared.reject_twice() } else { StatusCode::NO_CONTENT };
    // Fails only after the demo has ended.
    let _ = shared.received.send(Received { method, uri, headers, body, at, signature });
    status
}

impl Shared {
    fn reject_twice(&self) -> StatusCode {
        let mut left = self.rejections.lock().unwrap_or_else(PoisonError::into_inner);
        if *left == 0 {
            return StatusCode::NO_CONTENT;
        }
        *left -= 1;
        StatusCode::INTERNAL_SERVER_ERROR
    }
}
