//! The real program on a machine that lacks descriptors, sockets or an answer of its name server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::process::Process;
use crate::support::receiver::Receiver;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Compiles the library that makes a machine poor.
fn library(dir: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/support/poor_machine.c");
    let library = dir.join("poor_machine.so");
    let built = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&library, &source])
        .output()
        .expect("there is a C compiler");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

/// Calls the API, which must agree.
async fn ok(host: &Process, key: &str, method: Method, path: &str, body: Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = timeout(PATIENCE, host.call(key, method, path, body)).await.expect("the host answers").unwrap();
    assert!(answer.0.is_success(), "{path}: {} {}", answer.0, answer.1);
    answer.1
}

async fn subscribe(host: &Process, key: &str, name: &str, url: &str, pause_after_failures: u32) -> Value {
    let subscription = json!({
        "name": name, "url": url, "event_types": [name], "timeout_ms": 1_000, "retry": {"schedule_s": []},
        "pause_after_failures": pause_after_failures,
    });
    ok(host, key, Method::POST, "/v1/spaces/acme/subscriptions", subscription).await
}

async fn start_space(host: &Process) -> String {
    let key = host.key.clone().unwrap();
    ok(host, &key, Method::POST, "/v1/spaces", json!({"id": "acme", "name": "Acme"})).await;
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_without_a_key_leave_descriptors_for_callers_and_receivers() {
    let dir = TempDir::new().unwrap();
    let host = Process::start_limited(dir.path(), "-n 400").await;
    let key = start_space(&host).await;
    let receiver = Receiver::start().await;
    let subscription = subscribe(&host, &key, "quiet", &receiver.url("/"), 1).await;
    let mut idle = Vec::new();
    let address = host.base.strip_prefix("http://").unwrap();
    for _ in 0..500 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    for n in 0..5 {
        ok(&host, &key, Method::POST, "/v1/spaces/acme/events", json!({"type": "quiet", "data": n})).await;
    }
    let received = timeout(PATIENCE, receiver.take(5)).await;
    assert!(received.is_ok(), "{} of 5 received", receiver.requests().len());
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    assert_eq!(ok(&host, &key, Method::GET, &path, Value::Null).await["state"], "active");
    host.terminate().await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_limit_of_descriptors_is_raised_as_far_as_it_goes() {
    let dir = TempDir::new().unwrap();
    let host = Process::start_limited(dir.path(), "-Sn 200 && ulimit -Hn 1000").await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", host.id())).unwrap();
    let limit: Vec<_> = limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split(' ').collect();
    let numbers: Vec<u64> = limit.iter().filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers, [1000, 1000]);
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_lacks_is_no_attempt_and_no_failure_of_the_receiver() {
    let dir = TempDir::new().unwrap();
    let (lacking, library) = (dir.path().join("lacking"), library(dir.path()));
    let env = || [("LD_PRELOAD", library.clone()), ("POOR_MACHINE", lacking.clone())];
    let host = Process::start_with(&dir.path().join("data"), env()).await;
    let key = start_space(&host).await;
    let receiver = Receiver::start().await;
    let subscription = subscribe(&host, &key, "quiet", &receiver.url("/"), 1).await;
    // The client's own connection to the host stands already.
    fs::write(&lacking, "").unwrap();
    ok(&host, &key, Method::POST, "/v1/spaces/acme/events", json!({"type": "quiet", "data": 1})).await;
    let start = Instant::now();
    while fs::read(&lacking).unwrap().is_empty() {
        assert!(start.elapsed() < PATIENCE, "the host opened no socket");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // An attempt would be recorded within some milliseconds.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let list = ok(&host, &key, Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
    assert_eq!(
        (&list["data"][0]["state"], &list["data"][0]["attempt_count"]),
        (&json!("pending"), &json!(0)),
        "{list}"
    );
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    assert_eq!(ok(&host, &key, Method::GET, &path, Value::Null).await["state"], "active");
    fs::remove_file(&lacking).unwrap();
    host.terminate().await;

    // A start ends the leases.
    let host = Process::start_with(&dir.path().join("data"), env()).await;
    timeout(PATIENCE, receiver.take(1)).await.expect("it is attempted again");
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_hang_hold_up_no_reader() {
    let dir = TempDir::new().unwrap();
    let env = [("LD_PRELOAD", library(dir.path()))];
    let host = Process::start_with(&dir.path().join("data"), env).await;
    let key = start_space(&host).await;
    for n in 0..20 {
        subscribe(&host, &key, &format!("loud.{n}"), &format!("http://{n}.hang/"), 0).await;
    }
    // More than the runtime has threads for what blocks. A request ends after a second, its lookup does not.
    let lines: String = (0..1_200).map(|n| format!("{{\"type\":\"loud.{}\",\"data\":{n}}}\n", n % 20)).collect();
    let request = reqwest::Client::new().post(format!("{}/v1/spaces/acme/events", host.base)).bearer_auth(&key);
    let request = request.header("content-type", "application/x-ndjson").body(lines);
    assert_eq!(request.send().await.unwrap().status(), 202);
    tokio::time::sleep(Duration::from_secs(4)).await;
    // A reader that waited for a lookup would wait for ever.
    for _ in 0..20 {
        ok(&host, &key, Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
    }
    // Its shutdown would wait for requests whose names hang.
    host.kill().await;
}
