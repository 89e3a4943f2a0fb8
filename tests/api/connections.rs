//! Connections of callers: idle ones end, and leave room for others.

use std::time::{Duration, Instant};

use hookmill_server::config::AcceptConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::host::TestHost;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn host(accept: AcceptConfig) -> TestHost {
    TestHost::start_with(|config| config.accept = accept).await
}

async fn connect(host: &TestHost) -> TcpStream {
    TcpStream::connect(host.base.strip_prefix("http://").unwrap()).await.unwrap()
}

/// Waits until the host closes the connection; returns what it sent until then.
async fn closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A reset is an end as well.
    let read = timeout(PATIENCE, stream.read_to_end(&mut all)).await;
    assert!(read.is_ok(), "the connection still stands");
    all
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_is_closed() {
    let host = host(AcceptConfig { idle_connection_s: 1, ..AcceptConfig::default() }).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for sent in [b"".as_slice(), b"P", b"POST /v1/spaces/acme/events HTTP/1.1\r\nhost: x\r\n", &preface[..20], preface]
    {
        let start = Instant::now();
        let mut stream = connect(&host).await;
        stream.write_all(sent).await.unwrap();
        closed(&mut stream).await;
        assert!(start.elapsed() > Duration::from_millis(900), "{sent:?} was cut off after {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_and_ends_after_the_last() {
    // Much longer than from one request to the next, but not than all of them take.
    let host = host(AcceptConfig { idle_connection_s: 3, ..AcceptConfig::default() }).await;
    let mut stream = connect(&host).await;
    for _ in 0..8 {
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        sleep(Duration::from_millis(500)).await;
    }
    let answers = String::from_utf8(closed(&mut stream).await).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 8, "{answers}");
}

#[tokio::test]
async fn a_request_that_is_being_read_may_take_its_time() {
    let host = host(AcceptConfig { idle_connection_s: 1, ..AcceptConfig::default() }).await;
    let body = r#"{"type":"slow","data":{"a":1}}"#;
    let mut stream = connect(&host).await;
    let head = format!(
        "POST /v1/spaces/acme/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        host.key,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for part in body.as_bytes().chunks(5) {
        sleep(Duration::from_millis(500)).await;
        stream.write_all(part).await.unwrap();
    }
    let answer = String::from_utf8(closed(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}

#[tokio::test]
async fn connections_without_requests_lock_out_nobody() {
    let host = host(AcceptConfig { connections_max: 8, ..AcceptConfig::default() }).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(connect(&host).await);
    }
    let start = Instant::now();
    // Each on a connection of its own.
    for _ in 0..3 {
        let mut stream = connect(&host).await;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let answer = String::from_utf8(closed(&mut stream).await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    // Half of what a connection may be idle.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}
