//! Send over TLS: HTTP/2 where both ends can, and certificates that are looked at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request as Incoming;
use hookmill_model::{Request, SendFaultCode};
use hookmill_server::config::SendConfig;
use hookmill_server::stages::send::{Client, Sent};
use http::{HeaderMap, Method};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::CertificateDer;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::tls::server_config;

/// A receiver that speaks TLS and answers with the version of HTTP and the length of the body that it got.
struct TlsReceiver {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    serving: tokio::task::AbortHandle,
}

impl Drop for TlsReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl TlsReceiver {
    /// Has a certificate for `name`, signed by itself, and speaks `alpn`.
    async fn start(name: &str, alpn: &[&[u8]]) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server_config(&cert, &signing_key, alpn)));
        let app = Router::new().fallback(async |request: Incoming| {
            let version = request.version();
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
            format!("{version:?} {}", body.len())
        });
        let serving = tokio::spawn(async move { axum::serve(TlsListener { listener, acceptor }, app).await });
        let certificate = cert.der().clone();
        Self { address, certificate, serving: serving.abort_handle() }
    }

    async fn send(&self, client: &Client) -> Sent {
        send(client, self.address.port()).await
    }
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    /// The next connection that agrees on TLS.
    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn client(roots: Vec<CertificateDer<'static>>) -> Client {
    let allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
    Client::with_roots(&SendConfig { allow_networks, ..SendConfig::default() }, roots).unwrap()
}

async fn send(client: &Client, port: u16) -> Sent {
    let url = format!("https://localhost:{port}/hook").parse().unwrap();
    let request =
        Request { method: Method::POST, url, headers: HeaderMap::new(), body: "four".into(), sealed: Vec::new() };
    client.send(&"acme".parse().unwrap(), &request, &HeaderMap::new(), Duration::from_secs(10)).await.unwrap()
}

#[tokio::test]
async fn http_2_is_spoken_where_both_can() {
    let receiver = TlsReceiver::start("localhost", &[b"h2", b"http/1.1"]).await;
    let client = client(vec![receiver.certificate.clone()]);
    for _ in 0..2 {
        let answer = receiver.send(&client).await.result.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, b"HTTP/2.0 4".as_slice()));
    }
}

#[tokio::test]
async fn http_1_1_is_spoken_where_the_receiver_has_no_other() {
    let receiver = TlsReceiver::start("localhost", &[b"http/1.1"]).await;
    let answer = receiver.send(&client(vec![receiver.certificate.clone()])).await.result.unwrap();
    assert_eq!(&answer.body[..], b"HTTP/1.1 4");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_fault_of_tls() {
    let receiver = TlsReceiver::start("localhost", &[b"h2"]).await;
    let fault = receiver.send(&client(Vec::new())).await.result.unwrap_err();
    assert_eq!(fault.code, SendFaultCode::Tls, "{}", fault.message);
    assert!(fault.message.contains("certificate"), "{}", fault.message);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_a_fault_of_tls() {
    let receiver = TlsReceiver::start("elsewhere.example", &[b"h2"]).await;
    let fault = receiver.send(&client(vec![receiver.certificate.clone()])).await.result.unwrap_err();
    assert_eq!(fault.code, SendFaultCode::Tls, "{}", fault.message);
}

#[tokio::test]
async fn a_receiver_that_speaks_no_tls_is_a_fault_of_tls() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    };
    let client = client(Vec::new());
    let (sent, _stream) = tokio::join!(send(&client, port), plain);
    let fault = sent.result.unwrap_err();
    assert_eq!(fault.code, SendFaultCode::Tls, "{}", fault.message);
}
