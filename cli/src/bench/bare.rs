//! Minimal HTTP for what the host is compared with: hyper, one task per connection.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// A connection that posts one request after another.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    path: http::Uri,
    headers: HeaderMap,
}

impl Connection {
    /// Connects; every request goes to `path` with these headers.
    pub(super) async fn open(address: SocketAddr, path: &str, mut headers: HeaderMap) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // The task ends with its sender, which gets the connection's errors too.
        tokio::spawn(connection);
        headers.insert(http::header::HOST, address.to_string().parse()?);
        Ok(Self { sender, path: path.parse()?, headers })
    }

    /// Posts a body and reads the whole response.
    pub(super) async fn post(&mut self, headers: HeaderMap, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::post(self.path.clone()).body(Full::new(body))?;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(headers);
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

/// Serves requests: `handle` maps a request's body to the response.
pub(super) async fn serve<F, A>(listener: TcpListener, handle: F) -> anyhow::Result<()>
where
    F: Fn(Bytes) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = anyhow::Result<(StatusCode, Bytes)>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let handle = handle.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let handle = handle.clone();
            async move {
                let body = request.into_body().collect().await?.to_bytes();
                let (status, content) = handle(body).await?;
                let mut response = Response::new(Full::new(content));
                *response.status_mut() = status;
                Ok::<_, anyhow::Error>(response)
            }
        });
        // A client that disconnects ends its own connection only.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
