//! `hookmill demo`: the whole path on one machine, every signature checked by an independent verifier.
//!
//! It uses the API like any caller, on a temporary data directory, and fails if a single request is not as expected.

mod keep;
mod profile;
mod receiver;
mod secure;
mod story;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hookmill_model::Secret;
use hookmill_server::clock::Clock;
use hookmill_server::config::Config;
use hookmill_server::dispatch::prepared;
use hookmill_server::host::Host;
use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use receiver::Received;
use story::{Chapter, EVENTS};

/// Any free port of this machine.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How long the demo waits for the next request. The longest planned wait is the delay of 2 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// Maximum delay of a request after its due time; a machine that is busy with a build may be slow.
const LATE_MS_MAX: i64 = 1_000;

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Sign one subscription's deliveries with a secret that its receiver does not know, so that the demo fails
    #[arg(long)]
    break_signature: bool,
    /// Show one CRM's profile instead: activation, success, failure and pause, with a simulated clock
    #[arg(long, value_name = "PROFILE", conflicts_with = "break_signature")]
    profile: Option<profile::Choice>,
    /// Run a host filled with a day of made-up traffic instead, to look at its pages in a browser, until Ctrl-C
    #[arg(long, conflicts_with_all = ["break_signature", "profile"])]
    keep: bool,
}

/// Runs the demo.
#[expect(clippy::print_stdout, reason = "the output of the command")]
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let dir = tempfile::tempdir().context("creating a temporary data directory")?;
    if let Some(choice) = args.profile {
        return profile::run(choice, dir.path()).await;
    }
    if args.keep {
        return keep::run(dir.path()).await;
    }
    let secret = Secret::generate().reveal().to_owned();
    let (receiver, mut received) = receiver::start(&secret).await?;
    let mut config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    config.send.allow_networks.push("127.0.0.0/8".parse()?);
    let api = Api::start(config, Clock::system(), LOOPBACK).await?;
    println!("Host on {}, receiver on http://{receiver}, data in {}\n", api.base, dir.path().display());

    let story = story::chapters();
    api.prepare(&story, receiver, &secret, args.break_signature).await?;
    let requests: usize = story.iter().map(|chapter| chapter.requests).sum();
    println!("{} subscriptions, {} events, {requests} requests expected:", story.len(), EVENTS.len());

    let wrong = api.watch(&story, requests, &mut received).await?;
    api.shutdown.cancel();
    ensure!(wrong == 0, "{wrong} of {requests} requests were not as expected");
    println!("\nAll {requests} requests were as expected, and all signatures were accepted.\n");
    println!("{NEXT_STEPS}");
    Ok(())
}

const NEXT_STEPS: &str = "\
Next steps:
  hookmill demo --keep       runs a host filled with a day of made-up traffic, to look at its pages in a browser
  hookmill serve             runs the host; it prints its address and, once, an admin key
  GET /v1/openapi.json       describes its API
  plugins/README.md          shows how to write, build and upload your own plugin";

/// A client of the host that runs in this process.
struct Api {
    base: String,
    key: String,
    client: Client,
    host: Arc<Host>,
    running: JoinHandle<anyhow::Result<()>>,
    shutdown: CancellationToken,
}

impl Api {
    /// Starts a host on a new data directory.
    async fn start(config: Config, clock: Clock, listen: SocketAddr) -> anyhow::Result<Self> {
        Self::open(config, clock, listen, None).await
    }

    /// Starts a host; `key` is an admin's, if the directory was used before.
    async fn open(config: Config, clock: Clock, listen: SocketAddr, key: Option<String>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let (host, first_key) = hookmill_server::open(config, clock, crate::program()?).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(hookmill_pages::run(Arc::clone(&host), listener, shutdown.clone()));
        let key = first_key.or(key).context("the host generated no admin key for a new data directory")?;
        Ok(Self { base, key, client: Client::builder().no_proxy().build()?, host, running, shutdown })
    }

    /// Stops the host; returns the key.
    async fn stop(self) -> anyhow::Result<String> {
        self.shutdown.cancel();
        self.running.await.context("the host ended in a panic")??;
        Ok(self.key)
    }

    /// Calls the API; a status other than success is an error with the response.
    async fn call(&self, method: http::Method, path: &str, body: String) -> anyhow::Result<Value> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.base));
        let request = request.bearer_auth(&self.key).header("content-type", "application/json").body(body);
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{method} {path} returned {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.call(http::Method::POST, path, body.to_string()).await
    }

    /// Creates the space and its subscriptions, and posts the events.
    async fn prepare(
        &self,
        story: &[Chapter],
        receiver: SocketAddr,
        secret: &str,
        break_signature: bool,
    ) -> anyhow::Result<()> {
        let post = |path: &'static str, body| self.call(http::Method::POST, path, body);
        post("/v1/spaces", json!({"id": "demo", "name": "Demo"}).to_string()).await?;
        for (index, chapter) in story.iter().enumerate() {
            let mut subscription = chapter.subscription.clone();
            subscription["name"] = chapter.name.into();
            subscription["url"] = format!("http://{receiver}{}", chapter.path).into();
            let broken = break_signature && index == 0;
            let secret = if broken { Secret::generate().reveal().to_owned() } else { secret.to_owned() };
            subscription["secret"] = secret.into();
            post("/v1/spaces/demo/subscriptions", subscription.to_string()).await.context(chapter.name)?;
        }
        self.compile().await?;
        for (kind, data) in EVENTS {
            // Assembled as text, so that the data is sent exactly as it is in its file.
            post("/v1/spaces/demo/events", format!(r#"{{"type":"{kind}","data":{data}}}"#)).await?;
        }
        Ok(())
    }

    /// Waits until the plugins of all subscriptions are compiled: their deliveries would be late otherwise.
    async fn compile(&self) -> anyhow::Result<()> {
        let mut compiled = HashSet::new();
        for subscription in self.host.registry.all(|subscription| subscription.plugin.is_some()) {
            let Some(plugin) = &subscription.subscription.plugin else { continue };
            if compiled.insert(plugin.digest) {
                println!("Compiling the plugin {} (once, then it is cached) …", plugin.name);
                prepared(&self.host, None, plugin.digest).await?;
            }
        }
        Ok(())
    }

    /// Prints each request, and counts those that are not as expected.
    async fn watch(
        &self,
        story: &[Chapter],
        requests: usize,
        received: &mut UnboundedReceiver<Received>,
    ) -> anyhow::Result<usize> {
        let mut wrong = 0;
        for number in 1..=requests {
            let next = tokio::time::timeout(PATIENCE, received.recv()).await;
            let request = next.ok().flatten().with_context(|| {
                format!("only {} of {requests} requests arrived; no other within {PATIENCE:?}", number - 1)
            })?;
            let chapter = story.iter().find(|chapter| request.path() == chapter.path);
            let chapter = chapter.with_context(|| format!("unexpected request to {}", request.uri))?;
            let late_ms = self.late_ms(&request).await?;
            wrong += usize::from(!show(number, chapter, &request, late_ms));
        }
        Ok(wrong)
    }

    /// Returns how many milliseconds after its due time the request arrived, by the host's record.
    async fn late_ms(&self, request: &Received) -> anyhow::Result<i64> {
        let path = format!("/v1/spaces/demo/deliveries/{}", request.header("webhook-id"));
        let number: u64 = request.header("hookmill-attempt").parse().context("invalid attempt number")?;
        // The attempt is recorded after the response, so shortly after the request.
        for _ in 0..200 {
            let delivery = self.call(http::Method::GET, &path, String::new()).await?;
            let attempts = delivery["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(attempt) = attempts.iter().find(|attempt| attempt["number"].as_u64() == Some(number)) {
                let due: Timestamp = attempt["due_at"].as_str().unwrap_or_default().parse()?;
                return Ok(request.at.duration_since(due).as_millis() as i64);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("attempt {number} of {path} was not recorded within 2 s")
    }
}

/// Prints a request; returns false if it is not as expected.
#[expect(clippy::print_stdout, reason = "the output of the command")]
fn show(number: usize, chapter: &Chapter, request: &Received, late_ms: i64) -> bool {
    println!("\n{number}. {} {}   ({})", request.method, request.uri, chapter.name);
    for (name, value) in &request.headers {
        if matters(name.as_str()) {
            println!("   {name}: {}", value.to_str().unwrap_or("(not text)"));
        }
    }
    println!("\n   {}\n", String::from_utf8_lossy(&request.body).replace('\n', "\n   "));
    let checks = [
        ("signature", request.signature.clone().map(|()| "accepted by the crate standardwebhooks".to_owned())),
        ("shape", (chapter.check)(request).map(|()| "as expected".to_owned())),
        ("time", in_time(late_ms)),
    ];
    for (what, result) in &checks {
        match result {
            Ok(fine) => println!("   ✓ {what}: {fine}"),
            Err(wrong) => println!("   ✗ {what}: {wrong}"),
        }
    }
    checks.iter().all(|(_, result)| result.is_ok())
}

fn in_time(late_ms: i64) -> Result<String, String> {
    let text = format!("{late_ms} ms after it was due");
    if (0..=LATE_MS_MAX).contains(&late_ms) { Ok(text) } else { Err(text) }
}

/// Whether a header is worth printing: not those of every HTTP request.
fn matters(name: &str) -> bool {
    !matches!(name, "host" | "accept" | "user-agent" | "content-length")
}
