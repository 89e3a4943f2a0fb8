//! Plugins that are not compiled yet: a start does not wait for them, and neither do other subscriptions' deliveries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use hookmill_server::clock::Clock;
use hookmill_server::config::Config;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::host::{BINARY, TestHost};
use crate::support::receiver::{DEADLINE, Receiver};
use crate::support::script;

/// A compiler that waits until a file exists.
struct Gate {
    dir: TempDir,
}

impl Gate {
    fn closed() -> Self {
        let gate = Self { dir: TempDir::new().unwrap() };
        let wait = format!("while [ ! -e {} ]; do /bin/sleep 0.05; done", gate.open_file().display());
        script(&gate.program(), &format!("{wait}\nexec {BINARY} \"$@\""));
        gate
    }

    fn program(&self) -> PathBuf {
        self.dir.path().join("compiler")
    }

    fn open_file(&self) -> PathBuf {
        self.dir.path().join("open")
    }

    fn open(&self) {
        fs::write(self.open_file(), "").unwrap();
    }
}

/// A host whose plugins are not compiled.
async fn host(program: &Path, change: impl FnOnce(&mut Config)) -> TestHost {
    let dir = TempDir::new().unwrap();
    let mut config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    config.send.allow_networks.push("127.0.0.0/8".parse().unwrap());
    change(&mut config);
    let clock = Clock::manual(hookmill_server::clock::whole_microseconds(Timestamp::now()));
    let host = TestHost::open_compiling_with(dir, config, clock, None, program).await;
    host.ok(Method::POST, "/v1/spaces", json!({"id": "acme", "name": "Acme"})).await;
    host
}

async fn post(host: &TestHost, kind: &str, count: usize) {
    let line = json!({"type": kind, "data": {"value": 1}}).to_string() + "\n";
    host.post_lines(&line.repeat(count)).await;
}

async fn subscribe(host: &TestHost, receiver: &Receiver, path: &str, kind: &str, plugin: Option<&str>) {
    let mut more = json!({"event_types": [kind]});
    if let Some(name) = plugin {
        more["plugin"] = json!({"name": name});
    }
    host.subscribe(&receiver.url(path), more).await;
}

#[tokio::test]
async fn a_plugin_that_is_being_compiled_delays_its_own_deliveries_only() {
    let (gate, receiver) = (Gate::closed(), Receiver::start().await);
    let mut host = host(&gate.program(), |_| {}).await;
    for number in 0..10 {
        subscribe(&host, &receiver, &format!("/compiling/{number}"), "deal.won", Some("zapier")).await;
    }
    subscribe(&host, &receiver, "/plain", "deal.lost", None).await;
    // More than may be in flight at once.
    post(&host, "deal.won", 60).await;
    post(&host, "deal.lost", 50).await;
    let opened = async {
        let sent = receiver.take(50).await;
        assert!(sent.iter().all(|request| request.target == "/plain"));
        gate.open();
    };
    tokio::join!(host.deliver(), opened);
    assert_eq!(receiver.take(600).await.len(), 600);
}

#[tokio::test]
async fn deliveries_that_wait_for_a_compiler_give_way_where_memory_is_short() {
    let (gate, receiver) = (Gate::closed(), Receiver::start().await);
    let mut host = host(&gate.program(), |config| config.deliver.waiting_max = 20).await;
    subscribe(&host, &receiver, "/compiling", "deal.won", Some("zapier")).await;
    subscribe(&host, &receiver, "/plain", "deal.lost", None).await;
    post(&host, "deal.won", 100).await;
    post(&host, "deal.lost", 50).await;
    let opened = async {
        let sent = receiver.take(50).await;
        assert!(sent.iter().all(|request| request.target == "/plain"));
        gate.open();
    };
    tokio::join!(host.deliver(), opened);
    assert_eq!(receiver.take(100).await.len(), 100);
}

#[tokio::test]
async fn a_plugin_that_cannot_be_compiled_is_tried_again_when_the_leases_expire() {
    let (gate, receiver) = (Gate::closed(), Receiver::start().await);
    script(&gate.program(), &format!("echo x >>{}\nexit 1", gate.dir.path().join("runs").display()));
    let mut host = host(&gate.program(), |_| {}).await;
    subscribe(&host, &receiver, "/", "deal.won", Some("zapier")).await;
    post(&host, "deal.won", 3).await;
    host.deliver().await;
    let runs = fs::read_to_string(gate.dir.path().join("runs")).unwrap();
    assert_eq!(runs.lines().count(), 1, "once for all of them");
    assert!(receiver.requests().is_empty());
    let list = host.ok(Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
    for delivery in list["data"].as_array().unwrap() {
        assert_eq!((&delivery["state"], &delivery["attempt_count"]), (&json!("pending"), &json!(0)), "{delivery}");
    }
    let logged = host.errors.take();
    assert!(logged[0].contains("plugin could not be prepared"), "{logged:?}");
    assert!(logged[1..].iter().all(|error| error.contains("attempt abandoned")), "{logged:?}");

    script(&gate.program(), &format!("exec {BINARY} \"$@\""));
    host.advance(Duration::from_secs(120)).await;
    assert_eq!(receiver.take(3).await.len(), 3);
}

#[tokio::test]
async fn a_first_start_listens_at_once_and_compiles_what_is_bundled_behind() {
    let dir = TempDir::new().unwrap();
    let mut command = Command::new(BINARY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path()).env("NO_COLOR", "1");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let listens = async {
        assert!(lines.next_line().await.unwrap().unwrap().starts_with("Hookmill listens on "));
        Instant::now()
    };
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut compiling = async || {
        loop {
            let line = log.next_line().await.unwrap().unwrap();
            if line.contains("compiling plugins: ") {
                return line;
            }
        }
    };
    let compiles = async {
        let first = compiling().await;
        assert!(first.contains("compiling plugins: zapier 1.0.0 (1 of "), "{first}");
        let second = compiling().await;
        assert!(second.contains(" (2 of "), "{second}");
        Instant::now()
    };
    let (listened, compiled) = timeout(DEADLINE, async { tokio::join!(listens, compiles) }).await.unwrap();
    assert!(listened < compiled, "one plugin was compiled {:?} before it listened", listened - compiled);

    // In the middle of compiling.
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn what_a_saved_subscription_uses_is_compiled_first() {
    let gate = Gate::closed();
    gate.open();
    let host = host(&gate.program(), |_| {}).await;
    let receiver = Receiver::start().await;
    subscribe(&host, &receiver, "/", "deal.won", Some("n8n")).await;
    let used = host.ok(Method::GET, "/v1/spaces/acme/plugins/n8n/1.0.0", Value::Null).await;
    let digest = used["digest"].as_str().unwrap().parse().unwrap();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let prepared = async {
        while host.host.engine.prepared(&digest).is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        shutdown.cancel();
    };
    tokio::join!(hookmill_server::plugins::prepare::run(&host.host, &shutdown), prepared);
}
