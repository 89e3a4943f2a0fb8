//! A whole host in the test's process: the real API on a real socket, real SQLite, a clock that the test moves, and a
//! deliver loop that the test steps.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookmill_server::clock::Clock;
use hookmill_server::config::Config;
use hookmill_server::deliver::Deliver;
use hookmill_server::host::Host;
use hookmill_server::notify;
use jiff::Timestamp;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::errors::NoErrors;

/// The real binary.
pub const BINARY: &str = env!("CARGO_BIN_EXE_hookmill");

/// A host with the space `acme`, whose receivers may be on loopback.
pub struct TestHost {
    pub clock: Clock,
    pub base: String,
    pub key: String,
    pub host: Arc<Host>,
    deliver: Deliver,
    client: Client,
    dir: TempDir,
    server: JoinHandle<std::io::Result<()>>,
    shutdown: CancellationToken,
    pub errors: NoErrors,
}

/// One folder of compiled plugins for all tests, which outlives them.
pub fn compiled_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("hookmill").join("compiled")
}

impl TestHost {
    /// A host with the default configuration.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A host whose configuration the test changes.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (data_dir, compiled_dir) = (dir.path().to_owned(), Some(compiled_dir()));
        let mut config = Config { data_dir, compiled_dir, ..Config::default() };
        config.send.allow_networks.push("127.0.0.0/8".parse().unwrap());
        change(&mut config);
        let clock = Clock::manual(hookmill_server::clock::whole_microseconds(Timestamp::now()));
        let this = Self::open(dir, config, clock, None).await;
        this.ok(Method::POST, "/v1/spaces", json!({"id": "acme", "name": "Acme"})).await;
        this
    }

    /// A host on this directory; `key` is the admin's, if it was used before.
    pub async fn open(dir: TempDir, config: Config, clock: Clock, key: Option<String>) -> Self {
        Self::open_compiling_with(dir, config, clock, key, Path::new(BINARY)).await
    }

    /// The same, with another program that compiles plugins.
    pub async fn open_compiling_with(
        dir: TempDir,
        config: Config,
        clock: Clock,
        key: Option<String>,
        program: &Path,
    ) -> Self {
        let errors = NoErrors::begin();
        let (host, first_key) = hookmill_server::open(config, clock.clone(), program.to_owned()).await.unwrap();
        let key = first_key.or(key).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = hookmill_api::router(host.clone()).await.unwrap();
        let shutdown = CancellationToken::new();
        let (accept, until) = (host.config.accept.clone(), shutdown.clone());
        let server = tokio::spawn(async move { hookmill_api::serve(listener, router, &accept, until).await });
        let client = Client::builder().no_proxy().build().unwrap();
        Self { deliver: Deliver::new(host.clone()), host, clock, base, key, client, dir, server, shutdown, errors }
    }

    /// The same host anew: what it had in memory is gone.
    pub async fn restart(self) -> Self {
        let Self { clock, key, host, deliver, client, dir, server, shutdown, .. } = self;
        drop((deliver, client));
        shutdown.cancel();
        server.await.unwrap().unwrap();
        // The last connection's task may still be letting go of it.
        while Arc::strong_count(&host) > 1 {
            tokio::task::yield_now().await;
        }
        let config = host.config.clone();
        drop(host);
        Self::open(dir, config, clock, Some(key)).await
    }

    /// Calls the API with the admin's key.
    pub async fn call(&self, method: Method, path: &str, body: impl ToString) -> (StatusCode, Value) {
        let request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect(&text) })
    }

    /// Calls the API, which must agree.
    pub async fn ok(&self, method: Method, path: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.call(method, path, body).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// Uploads a component to the space.
    pub async fn upload(&self, component: &'static [u8]) -> Value {
        let request = self.client.post(format!("{}/v1/spaces/acme/plugins", self.base)).bearer_auth(&self.key);
        let response = request.header("content-type", "application/wasm").body(component).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Creates a subscription: to every event, unless `more` says otherwise.
    pub async fn subscribe(&self, url: &str, more: Value) -> Value {
        let mut subscription = json!({"name": "test", "url": url, "event_types": ["*"]});
        subscription.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ok(Method::POST, "/v1/spaces/acme/subscriptions", subscription).await
    }

    /// Posts an event with this data, as text.
    pub async fn post(&self, kind: &str, data: &str) -> Value {
        let body = format!(r#"{{"type":"{kind}","data":{data}}}"#);
        let (status, answer) = self.call(Method::POST, "/v1/spaces/acme/events", body).await;
        assert_eq!(status, 202, "{answer}");
        answer
    }

    /// The file, opened beside the store as the sqlite3 shell would.
    pub fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.dir.path().join("hookmill.db")).unwrap()
    }

    /// Posts many events, one a line.
    pub async fn post_lines(&self, lines: &str) {
        let request = self.client.post(format!("{}/v1/spaces/acme/events", self.base)).bearer_auth(&self.key);
        let request = request.header("content-type", "application/x-ndjson").body(lines.to_owned());
        assert_eq!(request.send().await.unwrap().status(), 202);
    }

    /// Delivers all that is due, and tells what there is to tell of it, until nothing is left.
    pub async fn settle(&mut self) {
        self.deliver().await;
        while notify::run_once(&self.host).await > 0 {
            self.deliver().await;
        }
    }

    /// Delivers all that is due, and tells nothing.
    pub async fn deliver(&mut self) {
        self.deliver.run_once().await;
    }

    /// Moves the clock on and delivers all that is due then.
    pub async fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.settle().await;
    }

    /// Forgets what is too old by now; returns how many deliveries that were.
    pub async fn forget(&self) -> usize {
        hookmill_server::retention::run_once(&self.host).await.unwrap()
    }

    /// The one delivery there is, with its attempts.
    pub async fn delivery(&self) -> Value {
        let list = self.ok(Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
        let list = list["data"].as_array().unwrap();
        assert_eq!(list.len(), 1, "{list:?}");
        self.delivery_of(list[0]["id"].as_str().unwrap()).await
    }

    /// A delivery with its attempts.
    pub async fn delivery_of(&self, id: &str) -> Value {
        self.ok(Method::GET, &format!("/v1/spaces/acme/deliveries/{id}"), Value::Null).await
    }
}
