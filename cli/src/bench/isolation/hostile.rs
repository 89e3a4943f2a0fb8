//! Hostile receivers, and connections that stay idle.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a receiver does with each connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Behavior {
    /// Accepts, and never responds.
    Hangs,
    /// Sends interim responses without end.
    Interim,
    /// Responds with 200.
    Responds,
}

/// Starts a receiver, which runs until this process ends.
pub(super) async fn receiver(behavior: Behavior) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            // The attacker may run out of file descriptors itself.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            connections.spawn(behave(behavior, stream));
            while connections.try_join_next().is_some() {}
        }
    });
    Ok(address)
}

async fn behave(behavior: Behavior, mut stream: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    let reply: &[u8] = match behavior {
        Behavior::Responds => b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        Behavior::Interim => b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n",
        Behavior::Hangs => b"",
    };
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {
        loop {
            if stream.write_all(reply).await.is_err() {
                return;
            }
            if !matches!(behavior, Behavior::Interim) {
                break;
            }
        }
    }
}

/// Opens connections that send the beginning of a request and nothing more; they close when the result is dropped.
pub(super) async fn half_open(address: SocketAddr, number: usize) -> Vec<TcpStream> {
    let mut open = Vec::with_capacity(number);
    for at in 0..number {
        let Ok(mut stream) = TcpStream::connect(address).await else { break };
        if at % 2 == 0 {
            // The host may have closed it already: that is right.
            let _ = stream.write_all(b"POST /v1/spaces/loud/events HTTP/1.1\r\nhost: ").await;
        }
        open.push(stream);
    }
    open
}
