//! The gate: the only path from the registry's client to a network.
//!
//! A registry responds with addresses of its choice, for a token or a blob. The client follows them, and accepts neither a
//! resolver nor an address policy. So it gets a proxy: this one, on loopback, for one push or pull. The gate resolves each
//! name itself, connects only to allowed addresses (see [`AddressPolicy`]), requires TLS except to this machine, and counts the
//! bytes that come back.
//!
//! A plain HTTP connection serves one request: the gate asks for it to be closed, so that the next request, perhaps to
//! another host, passes through the gate again. A client without the gate's password is refused: the gate is for this
//! process. The client drops the password when it is redirected to another host without TLS, so such a redirect is not
//! followed.

use std::io::{Error, Result};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

use crate::stages::send::address::AddressPolicy;

/// Size of a request's head: a registry's token has some 5 KB.
const HEAD_BYTES_MAX: usize = 64 << 10;

const REFUSED: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Why the gate stopped a request or a response.
#[derive(Clone, Debug)]
pub(super) enum Stopped {
    /// The address is not allowed.
    OutOfBounds(String),
    /// The address is allowed, but the connection failed.
    Unreachable(String),
    /// More bytes came back than these.
    TooMuch(u64),
}

struct Rules {
    policy: AddressPolicy,
    plain_http: bool,
    password: String,
    bytes_max: u64,
    bytes_left: AtomicU64,
    stopped: Mutex<Option<Stopped>>,
}

/// An open gate. Dropping it closes it and its connections.
pub(super) struct Gate {
    url: String,
    rules: Arc<Rules>,
    keeper: AbortHandle,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Gate {
    /// Opens a gate through which at most `bytes_max` may come back.
    pub(super) async fn open(policy: AddressPolicy, plain_http: bool, bytes_max: u64) -> Result<Self> {
        let listener = TcpListener::bind((IpAddr::from([127, 0, 0, 1]), 0)).await?;
        let secret: [u8; 16] = rand::rng().random();
        let secret = hex::encode(secret);
        let url = format!("http://gate:{secret}@{}", listener.local_addr()?);
        let password = format!("Basic {}", STANDARD.encode(format!("gate:{secret}")));
        let (bytes_left, stopped) = (AtomicU64::new(bytes_max), Mutex::default());
        let rules = Arc::new(Rules { policy, plain_http, password, bytes_max, bytes_left, stopped });
        let keeper = tokio::spawn(keep(listener, Arc::clone(&rules))).abort_handle();
        Ok(Self { url, rules, keeper })
    }

    /// The proxy URL for a client.
    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// The first reason why the gate stopped anything, if it did.
    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.rules.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Accepts connections; all of them end with it.
async fn keep(listener: TcpListener, rules: Arc<Rules>) {
    let mut passing = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                let rules = Arc::clone(&rules);
                // The client notices when its connection breaks.
                passing.spawn(async move { drop(pass(&rules, client).await) });
            }
            Some(_) = passing.join_next() => {}
        }
    }
}

async fn pass(rules: &Rules, mut client: TcpStream) -> Result<()> {
    let Some(request) = Request::read(&mut client).await? else { return client.write_all(REFUSED).await };
    let mut server = match rules.connect(&request).await {
        Ok(server) => server,
        Err(reason) => {
            rules.note(reason);
            return client.write_all(REFUSED).await;
        }
    };
    match &request.forward {
        Some(bytes) => server.write_all(bytes).await?,
        None => client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?,
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let down = async {
        let mut chunk = vec![0; 32 << 10];
        loop {
            let read = from_server.read(&mut chunk).await?;
            if read == 0 {
                return to_client.shutdown().await;
            }
            rules.count(read as u64)?;
            to_client.write_all(&chunk[..read]).await?;
        }
    };
    tokio::try_join!(up, down).map(drop)
}

impl Rules {
    async fn connect(&self, request: &Request) -> std::result::Result<TcpStream, Stopped> {
        let Request { host, port, password, forward } = request;
        if password.as_deref() != Some(&self.password) {
            return Err(Stopped::OutOfBounds(format!("a redirect to `{host}` without TLS is not followed")));
        }
        let unreachable = |error: Error| Stopped::Unreachable(format!("`{host}` cannot be reached: {error}"));
        let found = tokio::net::lookup_host((host.as_str(), *port)).await.map_err(unreachable)?;
        let mut allowed: Vec<SocketAddr> = Vec::new();
        for address in found {
            if self.policy.allows(address.ip()).map_err(unreachable)? {
                allowed.push(address);
            }
        }
        if allowed.is_empty() {
            let why = format!(
                "`{host}` resolves only to addresses that neither `oci.allow_networks` nor `send.allow_networks` permits"
            );
            return Err(Stopped::OutOfBounds(why));
        }
        let encrypted =
            forward.is_none() || self.plain_http || allowed.iter().all(|address| address.ip().is_loopback());
        if !encrypted {
            return Err(Stopped::OutOfBounds(format!("`{host}` would be connected to without TLS")));
        }
        TcpStream::connect(allowed.as_slice()).await.map_err(unreachable)
    }

    /// Keeps the first reason: later ones are its consequences.
    fn note(&self, reason: Stopped) {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }

    fn count(&self, bytes: u64) -> Result<()> {
        let less = |left: u64| left.checked_sub(bytes);
        if self.bytes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            return Ok(());
        }
        self.note(Stopped::TooMuch(self.bytes_max));
        Err(Error::other("too many bytes came back"))
    }
}

/// A client's request to its proxy.
struct Request {
    host: String,
    port: u16,
    password: Option<String>,
    /// The request as it is forwarded; none for a tunnel, whose bytes are encrypted.
    forward: Option<Vec<u8>>,
}

impl Request {
    /// Reads a request; none if it is not one to a proxy.
    async fn read(client: &mut TcpStream) -> Result<Option<Self>> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                break end;
            }
            if bytes.len() > HEAD_BYTES_MAX || client.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        };
        let Ok(head) = str::from_utf8(&bytes[..end]) else { return Ok(None) };
        Ok(Self::parse(head, &bytes[end + 4..]))
    }

    fn parse(head: &str, rest: &[u8]) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let mut start = lines.next()?.split(' ');
        let (method, target) = (start.next()?, start.next()?);
        let is = |line: &str, name: &str| line.split_once(':').is_some_and(|(had, _)| had.eq_ignore_ascii_case(name));
        let (own, theirs): (Vec<_>, Vec<_>) = lines.partition(|line| {
            ["proxy-authorization", "proxy-connection", "connection"].iter().any(|name| is(line, name))
        });
        let password = own.iter().find(|line| is(line, "proxy-authorization")).and_then(|line| line.split_once(": "));
        let password = password.map(|(_, value)| value.to_owned());
        let tunnel = method == "CONNECT";
        let url = Url::parse(&if tunnel { format!("https://{target}") } else { target.to_owned() }).ok()?;
        let (host, port) = (url.host()?.to_owned(), url.port_or_known_default()?);
        let host = match host {
            url::Host::Ipv6(ip) => ip.to_string(),
            host => host.to_string(),
        };
        let forward = (!tunnel).then(|| {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            let headers: String = theirs.iter().map(|line| format!("{line}\r\n")).collect();
            let head = format!("{method} {}{query} HTTP/1.1\r\n{headers}connection: close\r\n\r\n", url.path());
            [head.as_bytes(), rest].concat()
        });
        Some(Self { host, port, password, forward })
    }
}
