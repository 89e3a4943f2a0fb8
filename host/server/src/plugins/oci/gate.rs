//! The gate: the one way from the registry's client to a network.
//!
//! A registry answers with addresses of its own choice: where a token is to be had, where a blob lies. The client
//! follows them, and takes neither a resolver nor a rule of ours. So it gets a proxy: this one, on loopback, for as
//! long as one push or pull takes. It resolves each name itself, connects only to addresses that may be sent to (see
//! [`address`]), lets nothing pass without TLS but to this machine, and counts what comes back.
//!
//! A connection serves one request if it is plain HTTP: it is asked to close after it, so that the next one, perhaps to
//! another host, comes through here again. Who does not know the gate's password is turned away: it is for this process.
//! The client itself forgets it when it is redirected to another host without TLS, so that is not followed.

use std::io::{Error, Result};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use rand::RngExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

use crate::stages::send::address;

/// A request's head: a token of a registry has some 5 KB.
const HEAD_BYTES_MAX: usize = 64 << 10;

const REFUSED: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Why something did not pass.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// The address may not be connected to.
    OutOfBounds(String),
    /// It may, but cannot.
    Unreachable(String),
    /// More came back than this.
    TooMuch(u64),
}

struct Rules {
    allow_networks: Vec<IpNet>,
    plain_http: bool,
    password: String,
    bytes_max: u64,
    bytes_left: AtomicU64,
    said: Mutex<Option<Said>>,
}

/// An open gate; it closes, with all that passes, when it is dropped.
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
    /// Opens a gate through which `bytes_max` may come back.
    pub(super) async fn open(allow_networks: Vec<IpNet>, plain_http: bool, bytes_max: u64) -> Result<Self> {
        let listener = TcpListener::bind((IpAddr::from([127, 0, 0, 1]), 0)).await?;
        let secret: [u8; 16] = rand::rng().random();
        let secret = hex::encode(secret);
        let url = format!("http://gate:{secret}@{}", listener.local_addr()?);
        let password = format!("Basic {}", STANDARD.encode(format!("gate:{secret}")));
        let (bytes_left, said) = (AtomicU64::new(bytes_max), Mutex::default());
        let rules = Arc::new(Rules { allow_networks, plain_http, password, bytes_max, bytes_left, said });
        let keeper = tokio::spawn(keep(listener, Arc::clone(&rules))).abort_handle();
        Ok(Self { url, rules, keeper })
    }

    /// What a client is told of it.
    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// Why something did not pass, if anything did not.
    pub(super) fn said(&self) -> Option<Said> {
        self.rules.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Ends all connections when it ends itself.
async fn keep(listener: TcpListener, rules: Arc<Rules>) {
    let mut passing = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                let rules = Arc::clone(&rules);
                // A connection that breaks is the client's to notice.
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
        Err(said) => {
            rules.say(said);
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
    async fn connect(&self, request: &Request) -> std::result::Result<TcpStream, Said> {
        let Request { host, port, password, forward } = request;
        if password.as_deref() != Some(&self.password) {
            return Err(Said::OutOfBounds(format!("a redirect to `{host}` without TLS is not followed")));
        }
        let unreachable = |error: Error| Said::Unreachable(format!("`{host}` cannot be reached: {error}"));
        let found = tokio::net::lookup_host((host.as_str(), *port)).await.map_err(unreachable)?;
        let allowed: Vec<SocketAddr> =
            found.filter(|address| address::allowed(address.ip(), &self.allow_networks)).collect();
        if allowed.is_empty() {
            let why = format!("`{host}` resolves only to addresses that `send.allow_networks` does not permit");
            return Err(Said::OutOfBounds(why));
        }
        let encrypted =
            forward.is_none() || self.plain_http || allowed.iter().all(|address| address.ip().is_loopback());
        if !encrypted {
            return Err(Said::OutOfBounds(format!("`{host}` would be spoken to without TLS")));
        }
        TcpStream::connect(allowed.as_slice()).await.map_err(unreachable)
    }

    /// The first word counts: what follows is what comes of it.
    fn say(&self, said: Said) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(said);
    }

    fn count(&self, bytes: u64) -> Result<()> {
        let less = |left: u64| left.checked_sub(bytes);
        if self.bytes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            return Ok(());
        }
        self.say(Said::TooMuch(self.bytes_max));
        Err(Error::other("more than may come back"))
    }
}

/// What a client wants of its proxy.
struct Request {
    host: String,
    port: u16,
    password: Option<String>,
    /// The request as its server shall see it; none for a tunnel, whose bytes nobody here can read.
    forward: Option<Vec<u8>>,
}

impl Request {
    /// Reads a request; none if it is no proxy's.
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
