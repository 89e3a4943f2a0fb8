//! The processes of a bench and their protocol: a line of JSON is a question, the next line of JSON its answer.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child as Process, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

/// A child's side of the conversation.
pub(super) struct Served {
    asked: mpsc::UnboundedReceiver<std::io::Result<String>>,
}

impl Served {
    /// Reports to the parent where this process listens.
    pub(super) fn ready(listening: SocketAddr) -> anyhow::Result<Self> {
        say(&listening)?;
        let (sender, asked) = mpsc::unbounded_channel();
        std::thread::spawn(move || std::io::stdin().lines().try_for_each(|line| sender.send(line)));
        Ok(Self { asked })
    }

    /// Returns the next question; none if the parent has exited.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> anyhow::Result<Option<T>> {
        let Some(line) = self.asked.recv().await else { return Ok(None) };
        Ok(Some(serde_json::from_str(&line?)?))
    }

    /// Sends the answer.
    pub(super) fn answer(&self, answer: &impl Serialize) -> anyhow::Result<()> {
        say(answer)
    }
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn say(message: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(message)?);
    Ok(())
}

/// The parent's side of a child, which is killed when this is dropped.
pub(super) struct Child {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program with these arguments.
    pub(super) fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        Self::spawn(Command::new(Self::program()?), arguments)
    }

    fn program() -> anyhow::Result<PathBuf> {
        std::env::current_exe().context("finding the path of this program")
    }

    fn spawn(mut command: Command, arguments: &[&str]) -> anyhow::Result<Self> {
        command.args(arguments).env("HOOKMILL_LOG", "warn").kill_on_drop(true);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().context("the child has no standard input")?;
        let output = process.stdout.take().context("the child has no standard output")?;
        Ok(Self { process, input, output: BufReader::new(output).lines() })
    }

    /// Starts one of the bench's processes; returns it with the address that it listens on.
    pub(super) async fn start_role(role: &str) -> anyhow::Result<(Self, SocketAddr)> {
        Self::start(&["bench", "--role", role])?.ready().await
    }

    /// The same, with the lowest priority: it runs while no other process wants the CPU.
    pub(super) async fn start_role_last(role: &str) -> anyhow::Result<(Self, SocketAddr)> {
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(Self::program()?);
        Self::spawn(command, &["bench", "--role", role])?.ready().await
    }

    async fn ready(mut self) -> anyhow::Result<(Self, SocketAddr)> {
        let listening = self.answer().await?;
        Ok((self, listening))
    }

    /// Asks a question and waits for the answer.
    pub(super) async fn ask<T: DeserializeOwned>(&mut self, question: &impl Serialize) -> anyhow::Result<T> {
        self.input.write_all(format!("{}\n", serde_json::to_string(question)?).as_bytes()).await?;
        self.answer().await
    }

    async fn answer<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    /// Returns the next line of its output.
    pub(super) async fn line(&mut self) -> anyhow::Result<String> {
        self.output.next_line().await?.context("a process of the bench exited too early, see its output above")
    }

    /// Returns the resources that it has used so far.
    pub(super) fn used(&self) -> anyhow::Result<Used> {
        Used::of(self.process.id().context("the process has ended")?)
    }

    /// Sends SIGTERM, and waits until it has exited.
    pub(super) async fn terminate(mut self) -> anyhow::Result<()> {
        let id = self.process.id().context("the process has ended")?.to_string();
        // The shell's own `kill`: the program of that name is not on every machine.
        Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().await?;
        let status = self.process.wait().await?;
        anyhow::ensure!(status.success(), "a host exited with {status}");
        Ok(())
    }

    /// Kills it.
    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// The resources that a process has used since it started, as counted by the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    /// CPU time of all its threads, in steps of 10 ms.
    pub(super) cpu_us: u64,
    /// Bytes written to disks.
    pub(super) written_bytes: u64,
    /// Resident memory now, and its peak.
    pub(super) resident_bytes: u64,
    pub(super) peak_bytes: u64,
}

impl Used {
    /// Reads the resources of the process with this id.
    pub(super) fn of(process: u32) -> anyhow::Result<Self> {
        let folder = Path::new("/proc").join(process.to_string());
        let read = |file: &str| {
            let file = folder.join(file);
            std::fs::read_to_string(&file).with_context(|| {
                format!("reading {}: the bench needs Linux, which reports what a process uses", file.display())
            })
        };
        // The second field, the program's name in parentheses, may contain spaces: count after it.
        let stat = read("stat")?;
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let [Some(user), Some(system)] = [11, 12].map(|field| fields.get(field)?.parse::<u64>().ok()) else {
            bail!("the kernel reports no CPU time")
        };
        let status = read("status")?;
        Ok(Self {
            // The kernel's unit here is 1/100 s on every architecture.
            cpu_us: (user + system) * 10_000,
            written_bytes: named(&read("io")?, "write_bytes"),
            resident_bytes: named(&status, "VmRSS") * 1024,
            peak_bytes: named(&status, "VmHWM") * 1024,
        })
    }
}

/// Returns the number after `name:` in one of the kernel's lists.
fn named(list: &str, name: &str) -> u64 {
    let line = list.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
