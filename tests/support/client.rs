//! The commands of the program that call a host.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::host::BINARY;

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect(&self.stdout)
    }
}

/// Somebody at a shell: with these variables, and a configuration folder of their own.
pub struct Shell {
    config: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    /// A shell with nothing set.
    pub fn empty() -> Self {
        Self { config: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A shell with the address of a host, its key and the space `acme`.
    pub fn at(base: &str, key: &str) -> Self {
        let shell = Self::empty();
        shell.with("HOOKMILL_URL", base).with("HOOKMILL_KEY", key).with("HOOKMILL_SPACE", "acme")
    }

    /// With a further variable.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// The configuration folder, `~/.config`.
    pub fn config(&self) -> &Path {
        self.config.path()
    }

    /// The program with these arguments, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKMILL_"));
        ours.for_each(|(name, _)| _ = command.env_remove(name));
        for name in ["COLUMNS", "EDITOR", "VISUAL"] {
            command.env_remove(name);
        }
        command.args(args).env("XDG_CONFIG_HOME", self.config()).kill_on_drop(true);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end, without a terminal.
    pub async fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "").await
    }

    /// The same, with this standard input.
    pub async fn run_with(&self, args: &[&str], input: &str) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a command, which must succeed, and returns its output.
    pub async fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args).await;
        assert_eq!(ran.code, 0, "{args:?}: {ran:#?}");
        ran.stdout
    }
}
