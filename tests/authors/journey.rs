//! An author's work, scripted: from an empty folder to a delivery, in each language, with the real program and the
//! language's own toolchain.
//!
//! A language whose toolchain is not installed is left out, which is reported; with `CI=true` that is a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::host::{BINARY, TestHost};
use crate::support::left_out;
use crate::support::receiver::{Receiver, Reply};

/// The data that is posted, and what each language's example must make of it, byte for byte.
const DATA: &str = r#"{"deal": {"name": "Za\u017c\u00f3\u0142\u0107", "value": 12.50, "id": 12345678901234567890},
    "tags": ["new", {"a": []}], "10": true, "2": 1e400}"#;
const FLAT: &str = r#""deal__name":"Zażółć","deal__value":12.50,"deal__id":12345678901234567890,"tags__0":"new","tags__1__a":null,"10":true,"2":1e400}"#;

/// A language, the tools and files that building it needs, and how to install them.
struct Language {
    name: &'static str,
    tools: &'static [&'static str],
    files: &'static [&'static str],
    install: &'static str,
}

const RUST: Language =
    Language { name: "rust", tools: &["cargo", "rustc"], files: &[], install: "rustup target add wasm32-wasip2" };
const JAVASCRIPT: Language = Language {
    name: "javascript",
    tools: &["componentize-qjs"],
    files: &[],
    install: "npm install --global componentize-qjs@0.4.5",
};
const TYPESCRIPT: Language = Language {
    name: "typescript",
    tools: &["componentize-qjs", "tsc"],
    files: &[],
    install: "npm install --global componentize-qjs@0.4.5 typescript@7.0.2",
};
const PYTHON: Language = Language {
    name: "python",
    tools: &["componentize-py"],
    files: &[],
    install: "pip install componentize-py==0.25.1",
};
const C: Language = Language {
    name: "c",
    tools: &["clang-16", "wasm-ld-16"],
    files: &["/usr/include/wasm32-wasi/stdlib.h"],
    install: "apt-get install clang-16 lld-16 wasi-libc libclang-rt-16-dev-wasm32",
};

impl Language {
    /// Whether it can be built on this machine; if not, reports what is missing.
    fn is_available(&self) -> bool {
        let path = std::env::var_os("PATH").unwrap();
        let on_path = |tool: &&str| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
        let tools = self.tools.iter().filter(|tool| !on_path(tool));
        let files = self.files.iter().filter(|file| !Path::new(file).is_file());
        let mut missing: Vec<_> = tools.chain(files).copied().collect();
        if self.name == "rust" && missing.is_empty() {
            missing.extend((!wasm_target_is_installed()).then_some("the target wasm32-wasip2"));
        }
        if missing.is_empty() {
            return true;
        }
        left_out(&format!("building plugins in {}", self.name), &missing.join(", "), self.install);
        false
    }

    /// Downloads the packages that a plugin of this language depends on, if `cargo test` has not: a build of the host
    /// does not need those of the Rust SDK.
    fn fetch(&self) {
        if self.name == "rust" {
            let mut cargo = Command::new("cargo");
            cargo.args(["fetch", "--quiet", "--locked", "--target", "wasm32-wasip2"]);
            assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
        }
    }
}

fn wasm_target_is_installed() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print=target-libdir", "--target=wasm32-wasip2"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = rustc.output().unwrap();
    output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
}

/// Runs `hookmill plugin …` in a folder.
fn plugin(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("plugin").args(arguments).current_dir(folder);
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Compiled code is kept between runs of the tests, and nothing is downloaded.
    command.env("XDG_CACHE_HOME", kept).env("CARGO_TARGET_DIR", kept.join("authors")).env("CARGO_NET_OFFLINE", "true");
    command.output().unwrap()
}

/// Runs the same command with `--json`, which must succeed; returns the printed document.
fn plugin_json(folder: &Path, arguments: &[&str]) -> Value {
    let output = plugin(folder, &[arguments, &["--json"]].concat());
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}\n{stdout}\n{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// A new project, built and tested.
fn project(language: &Language) -> (TempDir, PathBuf) {
    language.fetch();
    let dir = tempfile::tempdir().unwrap();
    plugin_json(dir.path(), &["new", "deals", "--lang", language.name]);
    let project = dir.path().join("deals");
    let built = plugin_json(&project, &["build"]);
    assert!(built["size_bytes"].as_u64().unwrap() > 0);
    let tested = plugin_json(&project, &["test"]);
    let cases = tested["cases"].as_array().unwrap();
    assert!(cases.len() >= 8, "{tested:#}");
    for case in cases {
        assert_eq!(case["verdict"], "same", "{case:#}");
        assert!(case["figures"]["fuel_used"].as_u64().unwrap() > 0);
    }
    (dir, project)
}

async fn from_an_empty_folder_to_a_delivery(language: &Language) {
    if !language.is_available() {
        return;
    }
    let (_dir, project) = project(language);
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(200));
    let remote = ["--space", "acme", "--url", &host.base, "--key", &host.key];
    let pushed = plugin_json(&project, &[&["push"][..], &remote].concat());
    assert_eq!((&pushed["name"], &pushed["version"]), (&json!("deals"), &json!("0.1.0")));
    let listed = plugin_json(&project, &[&["list"][..], &remote].concat());
    assert!(listed["plugins"].as_array().unwrap().iter().any(|plugin| plugin["digest"] == pushed["digest"]));
    let config = json!({"name": "deals", "config": {"source": "our crm"}});
    let subscription = host.subscribe(&receiver.url("/hook"), json!({"plugin": config})).await;
    assert_eq!(subscription["plugin"]["digest"], pushed["digest"]);
    let event = host.post("deal.won", DATA).await;
    host.deliver().await;
    let [request] = &receiver.take(1).await[..] else { panic!("one request") };
    let (id, at) = (event["id"].as_str().unwrap(), event["occurred_at"].as_str().unwrap());
    let expected = format!(r#"{{"id":"{id}","type":"deal.won","occurred_at":"{at}",{FLAT}"#);
    assert_eq!(request.text(), expected);
    assert_eq!(request.header("x-source"), Some("our crm"));
    let deliveries = host.ok(Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
    let path = format!("/v1/spaces/acme/deliveries/{}", deliveries["data"][0]["id"].as_str().unwrap());
    let delivery = host.ok(Method::GET, &path, Value::Null).await;
    assert_eq!(delivery["attempts"][0]["logs"][0]["message"], format!("deal {id}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_in_rust_goes_from_an_empty_folder_to_a_delivery() {
    from_an_empty_folder_to_a_delivery(&RUST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_in_javascript_goes_from_an_empty_folder_to_a_delivery() {
    from_an_empty_folder_to_a_delivery(&JAVASCRIPT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_in_typescript_goes_from_an_empty_folder_to_a_delivery() {
    from_an_empty_folder_to_a_delivery(&TYPESCRIPT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_in_python_goes_from_an_empty_folder_to_a_delivery() {
    from_an_empty_folder_to_a_delivery(&PYTHON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_in_c_goes_from_an_empty_folder_to_a_delivery() {
    from_an_empty_folder_to_a_delivery(&C).await;
}

/// A subscription's configuration becomes a project that makes the same request.
#[test]
fn configured_javascript_becomes_a_project_with_the_same_request() {
    if !JAVASCRIPT.is_available() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let code = "function transform({ events: [event] }, config) {\n  return { body: { json: { my_plugin: event.data.deal.value, to: config.to } } };\n}";
    let config = json!({"code": code, "config": {"to": "my-plugin"}});
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    plugin_json(dir.path(), &["eject", "won", "--config", "config.json"]);
    let project = dir.path().join("won");
    assert!(std::fs::read_to_string(project.join("src/plugin.js")).unwrap().ends_with(&format!("{code}\n")));
    let tested = plugin_json(&project, &["test", "--build", "--update"]);
    let made = &tested["cases"][0]["made"]["deliver"]["body"]["json"];
    assert_eq!(made, r#"{"my_plugin":12.50,"to":"my-plugin"}"#);
}

#[test]
fn a_component_that_a_host_would_refuse_is_refused_with_a_reason_and_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("core.wasm"), wat::parse_str("(module)").unwrap()).unwrap();
    std::fs::write(dir.path().join("noise.wasm"), b"\0asm\x0d\0\x01\0 and so on").unwrap();
    for (file, reason) in [("core.wasm", "core module"), ("noise.wasm", "not a valid WebAssembly component")] {
        let output = plugin(dir.path(), &["inspect", file, "--json"]);
        assert_eq!(output.status.code(), Some(1));
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(printed["accepted"], false);
        assert!(printed["refusal"].as_str().unwrap().contains(reason), "{printed}");
    }
}

#[test]
fn a_golden_pair_that_differs_is_shown_with_its_difference_and_exit_code_1() {
    if !JAVASCRIPT.is_available() {
        return;
    }
    let (_dir, project) = project(&JAVASCRIPT);
    let file = project.join("golden/the-source-is-configured.request.json");
    let golden = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, golden.replace("x-source", "x-origin")).unwrap();
    let output = plugin(&project, &["test"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    let changed: Vec<_> = stdout.lines().map(str::trim).filter(|line| line.starts_with(['-', '+'])).collect();
    assert_eq!(changed, [r#"-         "x-origin","#, r#"+         "x-source","#], "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "colours are for terminals");
    // Accepting the new request fixes it.
    plugin_json(&project, &["test", "--update"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), golden);
}

#[test]
fn an_existing_folder_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("deals")).unwrap();
    std::fs::write(dir.path().join("deals/mine"), "").unwrap();
    let output = plugin(dir.path(), &["new", "deals", "--lang", "c"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("already exists"));
    assert_eq!(std::fs::read_dir(dir.path().join("deals")).unwrap().count(), 1);
}
