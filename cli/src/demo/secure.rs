//! A receiver with TLS, with a certificate generated for this run: profiles may require https. It responds with a status that
//! the demo sets, and passes on the requests.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, Method, StatusCode, Uri};
use rcgen::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A request as it arrived.
pub(super) struct SecureRequest {
    pub(super) method: Method,
    /// The whole URL, with host and query.
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The demo's handle of the receiver.
pub(super) struct Secure {
    /// `https://localhost:…`
    pub(super) base: String,
    pub(super) requests: mpsc::UnboundedReceiver<SecureRequest>,
    shared: Arc<Shared>,
}

struct Shared {
    base: String,
    status: AtomicU16,
    sender: mpsc::UnboundedSender<SecureRequest>,
}

impl Secure {
    /// Listens on loopback; writes its certificate to `pem`.
    pub(super) async fn start(pem: &Path) -> anyhow::Result<Self> {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        std::fs::write(pem, cert.pem()).with_context(|| format!("writing {}", pem.display()))?;
        let key = signing_key.serialize_der().try_into().map_err(|why| anyhow::anyhow!("{why}"))?;
        let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("https://localhost:{}", listener.local_addr()?.port());
        let (sender, requests) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { base: base.clone(), status: AtomicU16::new(200), sender });
        let app = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        let listener = Tls { listener, acceptor: TlsAcceptor::from(Arc::new(tls)) };
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { base, requests, shared })
    }

    /// Sets the status of all further responses.
    pub(super) fn respond_with(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let url = format!("{}{}", shared.base, uri.path_and_query().map_or("/", |path| path.as_str()));
    // Fails only after the demo has ended.
    let _ = shared.sender.send(SecureRequest { method, url, headers, body });
    StatusCode::from_u16(shared.status.load(Ordering::SeqCst)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    /// Waits for the next connection whose TLS handshake succeeds.
    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
