//! Connections to receivers: how they are opened, how many stay open, and how much comes back on each.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

use super::fault::{self, BoxError, NoIpv6};
use super::resolve::FilteredResolver;
use crate::config::SendConfig;

/// After this time without a packet, a connection is asked whether it still stands; three such questions without an
/// answer end it.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The longest time that sent bytes go without an acknowledgment.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// What a receiver may send of one body over HTTP/2 before it is read. Hyper's default of 2 MiB would let a receiver use up
/// a connection's allowance with a body of which 16 KiB are kept.
const STREAM_WINDOW_BYTES: u32 = 64 << 10;

/// The same of all bodies of a connection: the default of 100 requests at once would need 6 MiB.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// An HTTP client with its idle connections, all of which end with it.
pub(super) type Http = legacy::Client<HttpsConnector<Dialer>, Full<Bytes>>;

/// The bytes that a connection may still receive.
#[derive(Clone, Debug)]
pub(super) struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Resets the count after a complete response.
    pub(super) fn renew(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// A receiver sends more than a response may have.
#[derive(Debug, thiserror::Error)]
#[error("the receiver sent more than {0} bytes for one response")]
pub(super) struct TooMuch(usize);

/// Opens connections, and counts those that are open.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    http: HttpConnector<FilteredResolver>,
    resolver: FilteredResolver,
    received_max: usize,
    open: Arc<AtomicUsize>,
}

impl Dialer {
    /// Creates a dialer. `open` counts its connections.
    pub(super) fn new(resolver: FilteredResolver, config: &SendConfig, open: Arc<AtomicUsize>) -> Self {
        let mut http = HttpConnector::new_with_resolver(resolver.clone());
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(KEEPALIVE));
        http.set_keepalive_interval(Some(KEEPALIVE));
        http.set_keepalive_retries(Some(3));
        #[cfg(target_os = "linux")]
        http.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
        Self { http, resolver, received_max: config.answer_received_bytes_max, open }
    }
}

/// Creates a client without connections.
pub(super) fn client(dialer: Dialer, tls: &Arc<rustls::ClientConfig>, config: &SendConfig) -> Http {
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(config.idle_connection_s))
        .pool_max_idle_per_host(config.idle_connections_per_host_max)
        .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .build(HttpsConnector::from((dialer, Arc::clone(tls))))
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Metered>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.http.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialing = self.http.call(uri.clone());
        let (received_max, open) = (self.received_max, Arc::clone(&self.open));
        let resolver = self.resolver.clone();
        Box::pin(async move {
            let tcp = match dialing.await {
                Ok(tcp) => tcp.into_inner(),
                // For IPv4 it means that this host has no local port left.
                Err(error) if fault::lacks_address(&error) && resolver.has_ipv6_only(&uri) => return Err(NoIpv6.into()),
                Err(error) => return Err(error.into()),
            };
            open.fetch_add(1, Ordering::Relaxed);
            let allowance = Allowance(Arc::new(AtomicUsize::new(received_max)));
            Ok(TokioIo::new(Metered { tcp, allowance, received_max, open }))
        })
    }
}

/// A connection on which only so much comes back for one response: interim responses, headers that are dropped, padding
/// and control frames of HTTP/2 included. What is kept of a response says nothing about these.
#[derive(Debug)]
pub(super) struct Metered {
    tcp: TcpStream,
    allowance: Allowance,
    received_max: usize,
    open: Arc<AtomicUsize>,
}

impl Drop for Metered {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection for Metered {
    /// The allowance comes back with each response.
    fn connected(&self) -> Connected {
        Connected::new().extra(self.allowance.clone())
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(context, into))?;
        let read = into.filled().len() - before;
        Poll::Ready(if self.allowance.take(read) { Ok(()) } else { Err(io::Error::other(TooMuch(self.received_max))) })
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
