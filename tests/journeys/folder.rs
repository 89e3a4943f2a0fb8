//! A folder of plugins: entered at the start, one file's fault its own.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use ed25519_dalek::SigningKey;
use hookmill_model::{Digest, PluginKey};
use hookmill_server::clock::Clock;
use hookmill_server::config::Config;
use hookmill_server::plugins::folder;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::journeys::signature::by_hand;
use crate::journeys::versions::made;
use crate::support::host::{BINARY, TestHost};
use crate::support::receiver::Receiver;

const ECHO: &[u8] = hookmill_guests::ECHO;

/// The same plugin with another component: a custom section at its end does nothing but be there.
fn other() -> Vec<u8> {
    [ECHO, b"\0\x02\x01x"].concat()
}

/// The echo under a name of at most seven letters.
fn called(name: &str) -> Vec<u8> {
    let put = |component: &mut Vec<u8>, old: &[u8], new: &[u8]| {
        let place = component.windows(old.len()).position(|bytes| bytes == old).unwrap();
        component[place..place + new.len()].copy_from_slice(new);
    };
    let mut component = ECHO.to_vec();
    put(&mut component, b"by-hand", name.as_bytes());
    // Where its description begins: the name's place and length.
    put(&mut component, &[16, 0, 0, 0, 7, 0, 0, 0, 23], &[16, 0, 0, 0, name.len() as u8]);
    component
}

async fn host(folder: &Path) -> TestHost {
    let host = TestHost::start_with(|config| config.plugin_folder.path = Some(folder.to_owned())).await;
    folder::install(&host.host).await.unwrap();
    host
}

async fn restart(host: TestHost) -> TestHost {
    let host = host.restart().await;
    folder::install(&host.host).await.unwrap();
    host
}

async fn plugin(host: &TestHost, name: &str) -> Option<Value> {
    let (status, plugin) =
        host.call(Method::GET, &format!("/v1/spaces/acme/plugins/{name}/1.0.0"), String::new()).await;
    status.is_success().then_some(plugin)
}

#[tokio::test]
async fn the_components_of_the_folder_are_plugins_of_all_spaces() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a.wasm"), ECHO).unwrap();
    fs::write(dir.path().join("notes.txt"), "no component").unwrap();
    fs::write(dir.path().join("broken.wasm"), &ECHO[..1_000]).unwrap();
    fs::create_dir(dir.path().join("folder.wasm")).unwrap();
    fs::write(dir.path().join("core.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let mut host = host(dir.path()).await;
    let shown = plugin(&host, "by-hand").await.unwrap();
    assert_eq!((&shown["bundled"], &shown["source"]), (&json!(true), &json!("file:a.wasm")));

    let receiver = Receiver::start().await;
    host.subscribe(&receiver.url("/"), json!({"plugin": {"name": "by-hand"}})).await;
    host.post("deal.won", r#"{"value": 12.50}"#).await;
    host.settle().await;
    assert_eq!(receiver.take(1).await[0].body, br#"{"value": 12.50}"#);

    // Gone from the folder, it is offered to nobody; who runs it goes on.
    fs::remove_file(dir.path().join("a.wasm")).unwrap();
    let mut host = restart(host).await;
    assert_eq!(plugin(&host, "by-hand").await, None);
    host.post("deal.won", "[1]").await;
    host.settle().await;
    assert_eq!(receiver.take(1).await[0].body, b"[1]");
}

#[tokio::test]
async fn a_file_takes_the_place_of_the_file_before_it_and_keeps_its_own_while_it_is_the_same() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("a.wasm");
    fs::write(&file, ECHO).unwrap();
    let host = host(dir.path()).await;
    let first = plugin(&host, "by-hand").await.unwrap();
    let host = restart(host).await;
    assert_eq!(plugin(&host, "by-hand").await.unwrap(), first);
    fs::write(&file, other()).unwrap();
    let host = restart(host).await;
    assert_eq!(plugin(&host, "by-hand").await.unwrap()["digest"], Digest::of(&other()).to_string());
}

#[tokio::test]
async fn a_file_wins_over_a_bundled_plugin_until_it_is_gone() {
    let dir = TempDir::new().unwrap();
    let host = host(dir.path()).await;
    let path = "/v1/spaces/acme/plugins/zapier/1.0.0";
    let bundled = host.ok(Method::GET, path, Value::Null).await;
    assert_eq!((&bundled["bundled"], &bundled["source"]), (&json!(true), &Value::Null));

    let component = called("zapier");
    fs::write(dir.path().join("mine.wasm"), &component).unwrap();
    let host = restart(host).await;
    let mine = host.ok(Method::GET, path, Value::Null).await;
    assert_eq!((&mine["digest"], &mine["source"]), (&json!(Digest::of(&component)), &json!("file:mine.wasm")));

    fs::remove_file(dir.path().join("mine.wasm")).unwrap();
    let host = restart(host).await;
    let again = host.ok(Method::GET, path, Value::Null).await;
    assert_eq!((&again["digest"], &again["source"]), (&bundled["digest"], &Value::Null));
}

#[tokio::test]
async fn with_keys_a_file_needs_its_signature_beside_it() {
    let dir = TempDir::new().unwrap();
    let key = SigningKey::from_bytes(&[5; 32]);
    fs::write(dir.path().join("a.wasm"), ECHO).unwrap();
    let host = TestHost::start_with(|config| {
        config.plugin_folder.path = Some(dir.path().to_owned());
        config.plugin_folder.keys = vec![PluginKey::from_bytes(key.verifying_key().as_bytes())];
    })
    .await;
    folder::install(&host.host).await.unwrap();
    assert_eq!(plugin(&host, "by-hand").await, None);
    fs::write(dir.path().join("a.wasm.sig"), by_hand(&key, &other())).unwrap();
    folder::install(&host.host).await.unwrap();
    assert_eq!(plugin(&host, "by-hand").await, None);
    fs::write(dir.path().join("a.wasm.sig"), format!("{}\n", by_hand(&key, ECHO))).unwrap();
    folder::install(&host.host).await.unwrap();
    assert!(plugin(&host, "by-hand").await.is_some());
}

#[tokio::test]
async fn a_file_with_a_schema_that_is_none_is_refused_and_an_inspection_says_so_too() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("a.wasm");
    fs::write(&file, made("1.0.0", r#"{"type": 1}"#)).unwrap();
    let host = host(dir.path()).await;
    assert_eq!(plugin(&host, "made").await, None);

    let output = Command::new(BINARY).args(["plugin", "inspect", "--json"]).arg(&file).output().await.unwrap();
    assert!(!output.status.success());
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["accepted"], json!(false));
    let refusal = shown["refusal"].as_str().unwrap();
    assert!(refusal.starts_with("its config-schema is not a JSON Schema (2020-12): "), "{refusal}");
}

#[tokio::test]
async fn a_folder_of_too_many_files_or_that_is_not_there_stops_the_start() {
    let dir = TempDir::new().unwrap();
    (0..=1_000).for_each(|n| fs::write(dir.path().join(format!("{n}.wasm")), "").unwrap());
    let start = async |folder: &Path| {
        let data = TempDir::new().unwrap();
        let mut config = Config { data_dir: data.path().to_owned(), ..Config::default() };
        config.plugin_folder.path = Some(folder.to_owned());
        let opened = hookmill_server::open(config, Clock::system(), BINARY.into()).await;
        format!("{:#}", opened.map(drop).expect_err("it cannot be used"))
    };
    let error = start(dir.path()).await;
    assert!(error.ends_with("it has more than 1000 components"), "{error}");
    let error = start(&dir.path().join("none")).await;
    assert!(error.starts_with("the folder of plugins ") && error.contains("none: "), "{error}");
}

#[tokio::test]
async fn the_program_logs_what_it_enters_and_refuses_and_serves() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("plugins");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.wasm"), ECHO).unwrap();
    fs::write(folder.join("b.wasm"), other()).unwrap();
    fs::write(folder.join("core.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let file = dir.path().join("hookmill.toml");
    fs::write(&file, format!("[plugin_folder]\npath = {folder:?}\n")).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file);
    command.arg("--data-dir").arg(dir.path().join("data")).env("NO_COLOR", "1");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().starts_with("Hookmill listens on "));
    child.start_kill().unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    child.wait().await.unwrap();
    for told in ["file:a.wasm", "plugin file refused", "it is a core module"] {
        assert!(log.contains(told), "{told}: {log}");
    }
}
