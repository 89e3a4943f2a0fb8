//! A receiver of webhooks that does as it is told: on a real socket, and raw enough to misbehave.
//!
//! It answers by path from a script, one reply a request, and when the script is used up as it answers everything
//! else: with the default, 204 unless told otherwise. Every request is written down with its exact bytes before it is
//! answered. Nothing here waits by sleeping: [`Receiver::take`] wakes when a request came, and gives up after a
//! minute.

use std::collections::{HashMap, VecDeque};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::tls::server_config;

/// How long a test waits for what must come: longer than it takes on the busiest machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What came.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    /// Path and query, as in the request line.
    pub target: String,
    /// In order, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// When the request was read to its end.
    pub at: Timestamp,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

impl Received {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body, if it is text.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("the body is text")
    }
}

/// What a receiver does with a request, once it has read it.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers.
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Writes these bytes, whatever they are, and closes.
    Raw(Vec<u8>),
    /// Writes these bytes and then nothing more, with the connection open.
    RawThenHang(Vec<u8>),
    /// Closes in good order, without an answer.
    Close,
    /// Breaks the connection (RST).
    Reset,
    /// Never answers.
    Hang,
    /// A 200 whose body never ends, as fast as it is read.
    EndlessBody,
    /// A 200 with a header of 1 MB.
    HugeHeader,
    /// A 200 whose head comes byte by byte, for ever: each byte resets a naive timeout.
    Drip,
}

impl Reply {
    /// An answer without headers or body.
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    /// An answer with a body.
    pub fn body(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into() }
    }

    /// An answer with a header.
    pub fn header(status: u16, name: &str, value: &str) -> Self {
        Self::Answer { status, headers: vec![(name.to_owned(), value.to_owned())], body: Vec::new() }
    }
}

struct State {
    scripts: HashMap<String, VecDeque<Reply>>,
    default: Reply,
    requests: Vec<Received>,
    taken: usize,
    connections: usize,
}

/// The receiver. Dropping it closes everything.
pub struct Receiver {
    address: SocketAddr,
    /// Of one that speaks TLS: what a client has to trust, in PEM.
    certificate: Option<NamedTempFile>,
    state: Arc<Mutex<State>>,
    count: watch::Receiver<usize>,
    accepting: AbortHandle,
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::listen(None, None).await
    }

    /// The same, but speaking TLS, as `localhost`, with a certificate that it signed itself.
    pub async fn start_tls() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(cert.pem().as_bytes()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server_config(&cert, &signing_key, &[b"http/1.1"])));
        Self::listen(Some(acceptor), Some(file)).await
    }

    async fn listen(acceptor: Option<TlsAcceptor>, certificate: Option<NamedTempFile>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let state = State {
            scripts: HashMap::new(),
            default: Reply::status(204),
            requests: Vec::new(),
            taken: 0,
            connections: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let (sender, count) = watch::channel(0);
        let accepting = tokio::spawn(accept(listener, acceptor, Arc::clone(&state), sender)).abort_handle();
        Self { address, certificate, state, count, accepting }
    }

    /// The URL of a path here.
    pub fn url(&self, path: &str) -> String {
        match self.certificate {
            Some(_) => format!("https://localhost:{}{path}", self.address.port()),
            None => format!("http://{}{path}", self.address),
        }
    }

    /// The file with the certificate of a receiver that speaks TLS.
    pub fn certificate(&self) -> PathBuf {
        self.certificate.as_ref().expect("it speaks TLS").path().to_owned()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The replies to the next requests for this path (without its query), in order, behind those that wait already.
    pub fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().scripts.entry(path.to_owned()).or_default().extend(replies);
    }

    /// The reply to every request that no script covers.
    pub fn otherwise(&self, reply: Reply) {
        self.state.lock().unwrap().default = reply;
    }

    /// Waits for `n` requests that were not taken yet, and takes them, in the order in which they came.
    ///
    /// # Panics
    /// If they do not come within [`DEADLINE`].
    pub async fn take(&self, n: usize) -> Vec<Received> {
        let wanted = self.state.lock().unwrap().taken + n;
        let mut count = self.count.clone();
        let came = tokio::time::timeout(DEADLINE, count.wait_for(|count| *count >= wanted)).await.is_ok();
        let mut state = self.state.lock().unwrap();
        let waiting = state.requests[state.taken..].to_vec();
        assert!(came, "waited for {n} requests, got {}: {waiting:#?}", waiting.len());
        state.taken = wanted;
        waiting[..n].to_vec()
    }

    /// All requests so far, taken or not.
    pub fn requests(&self) -> Vec<Received> {
        self.state.lock().unwrap().requests.clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Connections live in this task's set, so that they end with it.
async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    state: Arc<Mutex<State>>,
    count: watch::Sender<usize>,
) {
    let count = Arc::new(count);
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = {
            let mut state = state.lock().unwrap();
            state.connections += 1;
            state.connections - 1
        };
        let (acceptor, state, count) = (acceptor.clone(), Arc::clone(&state), Arc::clone(&count));
        connections.spawn(async move {
            match acceptor {
                Some(acceptor) => serve(acceptor.accept(stream).await?, number, state, count).await,
                None => serve(stream, number, state, count).await,
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A connection, plain or behind TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// What carries it.
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// One connection. An io::Error means that the client has gone, which is its right.
async fn serve(
    mut stream: impl Stream,
    connection: usize,
    state: Arc<Mutex<State>>,
    count: Arc<watch::Sender<usize>>,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer, connection).await? {
        let reply = {
            let mut state = state.lock().unwrap();
            let path = request.target.split('?').next().unwrap_or_default();
            let scripted = state.scripts.get_mut(path).and_then(VecDeque::pop_front);
            let reply = scripted.unwrap_or_else(|| state.default.clone());
            state.requests.push(request);
            reply
        };
        count.send_modify(|count| *count += 1);
        if !answer(&mut stream, reply).await? {
            break;
        }
    }
    Ok(())
}

/// Reads one request; none if the client closes before one begins.
async fn read_request(
    stream: &mut impl Stream,
    buffer: &mut Vec<u8>,
    connection: usize,
) -> std::io::Result<Option<Received>> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8(buffer.drain(..head_end).collect()).expect("the client writes ASCII heads");
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
    let mut request = Received {
        method,
        target,
        headers: lines.filter_map(header).collect(),
        body: Vec::new(),
        at: Timestamp::now(),
        connection,
    };
    assert!(request.header("transfer-encoding").is_none(), "bodies are sent with their length");
    let length = request.header("content-length").map_or(0, |length| length.parse().expect("a number"));
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    request.body = buffer.drain(..length).collect();
    request.at = Timestamp::now();
    Ok(Some(request))
}

/// Replies; false if the connection ends with it.
async fn answer(stream: &mut impl Stream, reply: Reply) -> std::io::Result<bool> {
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    match reply {
        Reply::Answer { status, headers, body } => {
            let mut bytes = format!("HTTP/1.1 {status} Scripted\r\n").into_bytes();
            for (name, value) in headers {
                bytes.extend(format!("{name}: {value}\r\n").bytes());
            }
            // A 204 has no length, as RFC 9110 wants it.
            if status != 204 {
                bytes.extend(format!("content-length: {}\r\n", body.len()).bytes());
            }
            bytes.extend(b"\r\n");
            bytes.extend(body);
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            return Ok(true);
        }
        Reply::Raw(bytes) => stream.write_all(&bytes).await?,
        Reply::RawThenHang(bytes) => {
            stream.write_all(&bytes).await?;
            until_gone(stream).await;
        }
        Reply::Close => stream.shutdown().await?,
        Reply::Reset => stream.tcp().set_zero_linger()?,
        Reply::Hang => until_gone(stream).await,
        Reply::EndlessBody => {
            stream.write_all(CHUNKED).await?;
            let chunk = [b"1000\r\n".as_slice(), &[b'a'; 0x1000], b"\r\n"].concat();
            loop {
                stream.write_all(&chunk).await?;
            }
        }
        Reply::HugeHeader => {
            let header = "a".repeat(1 << 20);
            stream.write_all(format!("HTTP/1.1 200 OK\r\nx-huge: {header}\r\n\r\n").as_bytes()).await?;
        }
        Reply::Drip => {
            stream.tcp().set_nodelay(true)?;
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-drip: ").await?;
            let mut pulse = tokio::time::interval(Duration::from_millis(20));
            loop {
                pulse.tick().await;
                stream.write_all(b"a").await?;
            }
        }
    }
    Ok(false)
}

/// Returns once the client closes or breaks the connection.
async fn until_gone(stream: &mut impl Stream) {
    let mut byte = [0];
    while stream.read(&mut byte).await.is_ok_and(|read| read > 0) {}
}
