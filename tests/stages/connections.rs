//! Connections to receivers: how many stay open, and what may come back on them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookmill_model::{Answer, Request, SendFault, SendFaultCode};
use hookmill_server::config::SendConfig;
use hookmill_server::stages::send::Client;
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

fn config() -> SendConfig {
    SendConfig { allow_networks: vec!["127.0.0.0/8".parse().unwrap()], ..SendConfig::default() }
}

async fn send(client: &Client, address: SocketAddr) -> Result<Answer, SendFault> {
    let url = format!("http://{address}/").parse().unwrap();
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let request = Request { method: Method::POST, url, headers, body, sealed: Vec::new() };
    client.send(&"acme".parse().unwrap(), &request, &HeaderMap::new(), LONG).await.unwrap().result
}

/// A receiver that answers whatever it gets with these bytes, over and over if `endless`, and counts the connections that
/// are open.
async fn answering(with: Vec<u8>, endless: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (address, open) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&open);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (with, open) = (with.clone(), Arc::clone(&counted));
            open.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                // The sender may hang up.
                drop(answer(stream, &with, endless).await);
                open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    (address, open)
}

async fn answer(mut stream: TcpStream, with: &[u8], endless: bool) -> std::io::Result<()> {
    let mut request = [0; 4_096];
    while stream.read(&mut request).await? > 0 {
        stream.write_all(with).await?;
        if endless {
            loop {
                stream.write_all(with).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_interim_answers_is_cut_off() {
    let (address, _) = answering(b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000), true).await;
    let client = Client::new(&config()).unwrap();
    let start = Instant::now();
    let fault = send(&client, address).await.unwrap_err();
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    assert_eq!(fault.code, SendFaultCode::Protocol);
    assert!(fault.message.ends_with("the receiver sent more than 4194304 bytes for one response"), "{}", fault.message);
}

#[tokio::test]
async fn some_interim_answers_are_none_of_the_answer() {
    let interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(5);
    let (address, _) = answering([&interim[..], b"HTTP/1.1 204 No Content\r\n\r\n"].concat(), false).await;
    let answer = send(&Client::new(&config()).unwrap(), address).await.unwrap();
    assert_eq!((answer.status, answer.headers), (204, Vec::new()));
}

#[tokio::test]
async fn each_answer_on_a_connection_has_the_whole_allowance() {
    let body = [b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n".to_vec(), vec![b'a'; 10_000]].concat();
    let (address, open) = answering(body, false).await;
    let client = Client::new(&SendConfig { answer_received_bytes_max: 15_000, ..config() }).unwrap();
    for _ in 0..5 {
        assert_eq!(send(&client, address).await.unwrap().body.len(), 10_000);
        assert_eq!(open.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn idle_connections_are_bounded_over_all_receivers() {
    let client = Client::new(&SendConfig { idle_connections_max: 8, ..config() }).unwrap();
    let mut receivers = Vec::new();
    for _ in 0..40 {
        let receiver = answering(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), false).await;
        assert_eq!(send(&client, receiver.0).await.unwrap().status, 204);
        receivers.push(receiver);
    }
    let open = || receivers.iter().map(|(_, open)| open.load(Ordering::Relaxed)).sum::<usize>();
    let fewer = async {
        while open() > 8 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(LONG, fewer).await.is_ok(), "{} are open", open());
}

#[tokio::test]
async fn a_port_that_the_operator_denies_is_refused() {
    let (address, open) = answering(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), false).await;
    let client = Client::new(&SendConfig { deny_ports: vec![25, address.port()], ..config() }).unwrap();
    let fault = send(&client, address).await.unwrap_err();
    assert_eq!(fault.code, SendFaultCode::AddressRefused);
    assert_eq!(fault.message, format!("port {} is refused by `send.deny_ports`", address.port()));
    assert_eq!(open.load(Ordering::Relaxed), 0);
}
