//! The real binary as a process of its own, to be killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::host::{BINARY, compiled_dir};

/// `hookmill serve`, killed when it is dropped.
pub struct Process {
    pub base: String,
    /// The admin's key, on the first start on a data directory.
    pub key: Option<String>,
    child: Child,
    client: Client,
}

impl Process {
    /// Starts a host on this data directory and waits until it listens.
    pub async fn start(dir: &Path) -> Self {
        Self::start_with(dir, []).await
    }

    /// The same, with these variables in its environment too.
    pub async fn start_with(dir: &Path, env: impl IntoIterator<Item = (&'static str, PathBuf)>) -> Self {
        Self::start_as(Command::new(BINARY), dir, env).await
    }

    /// The same, limited by `ulimit` with these arguments.
    pub async fn start_limited(dir: &Path, limits: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit {limits} && exec \"$0\" \"$@\""), BINARY]);
        Self::start_as(command, dir, []).await
    }

    async fn start_as(
        mut command: Command,
        dir: &Path,
        env: impl IntoIterator<Item = (&'static str, PathBuf)>,
    ) -> Self {
        // reqwest is built without a default, and no host runs in this process to set one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Compiled plugins are shared, so that this host compiles nothing behind the test.
        let config = dir.join("hookmill.toml");
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(&config, format!("compiled_dir = {:?}\n", compiled_dir())).unwrap();
        command.env("HOOKMILL_CONFIG", config).args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--allow-network",
            "127.0.0.0/8",
            "--data-dir",
        ]);
        command.arg(dir).envs(env).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = async || lines.next_line().await.unwrap().expect("the host ended before it listened");
        let base = next().await.strip_prefix("Hookmill listens on ").unwrap().to_owned();
        assert!(next().await.starts_with("Data directory: "));
        let first = !dir.join("key-seen").exists();
        let key = if first { next().await.rsplit(' ').next().map(str::to_owned) } else { None };
        std::fs::write(dir.join("key-seen"), "").unwrap();
        Self { base, key, child, client: Client::builder().no_proxy().build().unwrap() }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// `kill -9`.
    pub fn kill_now(&self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        // Its lock is free once its last thread has ended; the first may be a zombie before that, while another flushes.
        let gone = || match std::fs::read_dir(format!("/proc/{pid}/task")) {
            Ok(threads) => {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                threads.count() <= 1 && (stat.is_empty() || stat.contains(") Z "))
            }
            Err(_) => true,
        };
        while !gone() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// `kill -9`, and waits until nothing is left of it.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks for an orderly end and waits for it.
    pub async fn terminate(mut self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "{status}");
    }

    /// Calls the API; an error if the host is gone.
    pub async fn call(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<(StatusCode, Value), reqwest::Error> {
        let request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(key);
        let response = request.header("content-type", "application/json").body(body).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// Posts events, one a line.
    pub async fn post_lines(&self, key: &str, path: &str, lines: String) -> (StatusCode, String) {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(key);
        let request = request.header("content-type", "application/x-ndjson").body(lines);
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}
