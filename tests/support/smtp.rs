//! An SMTP server on loopback that keeps what it gets. The protocol is mailin's, the socket is real.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailin::{Action, AuthMechanism, Handler, Response, Session, SessionBuilder, response};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::receiver::DEADLINE;

/// A mail that was accepted.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and text, as they came.
    pub data: String,
}

impl Mail {
    /// A header, unfolded and decoded; empty if there is none.
    pub fn header(&self, name: &str) -> String {
        let (head, _) = self.data.split_once("\r\n\r\n").expect("a mail has a head");
        let unfolded = head.replace("\r\n ", " ");
        let line = unfolded.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        decode_words(line.unwrap_or_default())
    }

    /// The names of all headers.
    pub fn header_names(&self) -> Vec<&str> {
        let (head, _) = self.data.split_once("\r\n\r\n").expect("a mail has a head");
        head.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| Some(line.split_once(':')?.0)).collect()
    }

    /// The text, decoded.
    pub fn text(&self) -> String {
        let (_, body) = self.data.split_once("\r\n\r\n").expect("a mail has a text");
        match self.header("Content-Transfer-Encoding").as_str() {
            "7bit" => body.replace("\r\n", "\n"),
            "base64" => String::from_utf8(STANDARD.decode(body.replace("\r\n", "")).unwrap()).unwrap(),
            "quoted-printable" => from_quoted_printable(body),
            other => panic!("the encoding is {other}"),
        }
    }
}

/// Encoded words of RFC 2047 in base64, which is what the library writes; the space between two of them is none.
fn decode_words(text: &str) -> String {
    let mut decoded = String::new();
    let mut encoded_before = false;
    for word in text.split(' ') {
        let encoded = word.strip_prefix("=?utf-8?b?").and_then(|rest| rest.strip_suffix("?="));
        if !(decoded.is_empty() || encoded_before && encoded.is_some()) {
            decoded.push(' ');
        }
        match encoded {
            Some(text) => decoded.push_str(str::from_utf8(&STANDARD.decode(text).unwrap()).unwrap()),
            None => decoded.push_str(word),
        }
        encoded_before = encoded.is_some();
    }
    decoded
}

fn from_quoted_printable(text: &str) -> String {
    let text = text.replace("=\r\n", "").replace("\r\n", "\n");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'=' {
            bytes.push(u8::from_str_radix(str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[derive(Default)]
struct State {
    mails: Vec<Mail>,
    /// How many mails came.
    came: watch::Sender<usize>,
    refused: HashSet<String>,
    /// What is answered to whoever begins a mail, if not that it is welcome.
    answer: Option<u16>,
    /// Who may send: a user with a password.
    login: Option<(String, String)>,
}

/// The server. Dropping it closes everything.
pub struct SmtpServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    count: watch::Receiver<usize>,
    accepting: AbortHandle,
}

impl SmtpServer {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Listens there.
    pub async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (came, count) = watch::channel(0);
        let state = Arc::new(Mutex::new(State { came, ..State::default() }));
        let accepting = tokio::spawn(accept(listener, state.clone())).abort_handle();
        Self { address, state, count, accepting }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without TLS.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Refuses this recipient from now on.
    pub fn refuse(&self, address: &str) {
        self.state.lock().unwrap().refused.insert(address.to_owned());
    }

    /// Answers whoever begins a mail with this status from now on; none: takes it.
    pub fn answer(&self, status: Option<u16>) {
        self.state.lock().unwrap().answer = status;
    }

    /// Wants this user and password from now on.
    pub fn want_login(&self, user: &str, password: &str) {
        self.state.lock().unwrap().login = Some((user.to_owned(), password.to_owned()));
    }

    /// Waits until so many mails were accepted.
    pub async fn wait_for(&self, count: usize) -> Vec<Mail> {
        let mut came = self.count.clone();
        let enough = came.wait_for(|came| *came >= count);
        tokio::time::timeout(DEADLINE, enough).await.expect("the mails come in time").unwrap();
        self.mails()
    }

    /// What was accepted so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.state.lock().unwrap().mails.clone()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        let mut builder = SessionBuilder::new("mail.test");
        if state.lock().unwrap().login.is_some() {
            builder.enable_auth(AuthMechanism::Plain).insecure_enable_plaintext_auth();
        }
        let keeper = Keeper { state: state.clone(), mail: Mail::default() };
        connections.spawn(serve(stream, builder.build(peer.ip(), keeper)));
        while connections.try_join_next().is_some() {}
    }
}

/// One connection. An io::Error means that the client has gone, which is its right.
async fn serve(mut stream: TcpStream, mut session: Session<Keeper>) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read);
    write.write_all(&bytes(&session.greeting())).await?;
    let mut line = Vec::new();
    while read.read_until(b'\n', &mut line).await? > 0 {
        let response = session.process(&line);
        line.clear();
        if response.action != Action::NoReply {
            write.write_all(&bytes(&response)).await?;
        }
        if response.action == Action::Close {
            break;
        }
    }
    Ok(())
}

fn bytes(response: &Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    response.write_to(&mut bytes).unwrap();
    bytes
}

/// Writes down one connection's mails.
struct Keeper {
    state: Arc<Mutex<State>>,
    mail: Mail,
}

impl Handler for Keeper {
    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> Response {
        self.mail = Mail { from: from.to_owned(), ..Mail::default() };
        let answer = self.state.lock().unwrap().answer;
        answer.map_or(response::OK, |status| Response::custom(status, "as the test wants".to_owned()))
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if self.state.lock().unwrap().refused.contains(to) {
            return response::NO_MAILBOX;
        }
        self.mail.to.push(to.to_owned());
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.mail.data.push_str(str::from_utf8(line).expect("mails are ASCII"));
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let mut state = self.state.lock().unwrap();
        state.mails.push(std::mem::take(&mut self.mail));
        state.came.send_modify(|came| *came += 1);
        response::OK
    }

    fn auth_plain(&mut self, _: &str, user: &str, password: &str) -> Response {
        let login = Some((user.to_owned(), password.to_owned()));
        if self.state.lock().unwrap().login == login { response::AUTH_OK } else { response::INVALID_CREDENTIALS }
    }
}
