//! The processes of a bench and how they speak: a line of JSON asks, a line of JSON answers.

use std::net::SocketAddr;
use std::path::Path;
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
    /// Tells the parent where this process listens.
    pub(super) fn ready(listening: SocketAddr) -> anyhow::Result<Self> {
        say(&listening)?;
        let (sender, asked) = mpsc::unbounded_channel();
        std::thread::spawn(move || std::io::stdin().lines().try_for_each(|line| sender.send(line)));
        Ok(Self { asked })
    }

    /// What is asked next; none if the parent has gone.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> anyhow::Result<Option<T>> {
        let Some(line) = self.asked.recv().await else { return Ok(None) };
        Ok(Some(serde_json::from_str(&line?)?))
    }

    /// Answers.
    pub(super) fn answer(&self, answer: &impl Serialize) -> anyhow::Result<()> {
        say(answer)
    }
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn say(word: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(word)?);
    Ok(())
}

/// A child, as its parent sees it; killed when it is dropped.
pub(super) struct Child {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program with these arguments.
    pub(super) fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("finding the program itself")?;
        let mut command = Command::new(program);
        command.args(arguments).env("HOOKMILL_LOG", "warn").kill_on_drop(true);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().context("a child has an input")?;
        let output = process.stdout.take().context("a child has an output")?;
        Ok(Self { process, input, output: BufReader::new(output).lines() })
    }

    /// Starts one of the bench's own processes; with where it listens.
    pub(super) async fn start_role(role: &str) -> anyhow::Result<(Self, SocketAddr)> {
        let mut child = Self::start(&["bench", "--role", role])?;
        let listening = child.answer().await?;
        Ok((child, listening))
    }

    /// Asks and waits for the answer.
    pub(super) async fn ask<T: DeserializeOwned>(&mut self, question: &impl Serialize) -> anyhow::Result<T> {
        self.input.write_all(format!("{}\n", serde_json::to_string(question)?).as_bytes()).await?;
        self.answer().await
    }

    async fn answer<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    /// The next line that it says.
    pub(super) async fn line(&mut self) -> anyhow::Result<String> {
        self.output.next_line().await?.context("a process of the bench ended too early; what it said stands above")
    }

    /// What it has used so far.
    pub(super) fn used(&self) -> anyhow::Result<Used> {
        Used::of(self.process.id().context("the process has ended")?)
    }

    /// Asks it to end, and waits for that.
    pub(super) async fn terminate(mut self) -> anyhow::Result<()> {
        let id = self.process.id().context("the process has ended")?.to_string();
        Command::new("kill").args(["-TERM", &id]).status().await?;
        let status = self.process.wait().await?;
        anyhow::ensure!(status.success(), "a host ended with {status}");
        Ok(())
    }

    /// Ends it at once.
    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// What a process has used since it started, as the kernel counts it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    /// CPU of all its threads, to 10 ms.
    pub(super) cpu_us: u64,
    /// Written to disks.
    pub(super) written_bytes: u64,
    /// Memory that it has now, and the most that it had.
    pub(super) resident_bytes: u64,
    pub(super) peak_bytes: u64,
}

impl Used {
    /// What the process with this id has used.
    pub(super) fn of(process: u32) -> anyhow::Result<Self> {
        let folder = Path::new("/proc").join(process.to_string());
        let read = |file: &str| {
            let file = folder.join(file);
            std::fs::read_to_string(&file).with_context(|| {
                format!("reading {}: the bench needs Linux, which tells what a process uses", file.display())
            })
        };
        // The second field, the program's name in brackets, may hold blanks: count behind it.
        let stat = read("stat")?;
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let [Some(user), Some(system)] = [11, 12].map(|field| fields.get(field)?.parse::<u64>().ok()) else {
            bail!("the kernel tells no CPU time")
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

/// The number behind `name:` in one of the kernel's lists.
fn named(list: &str, name: &str) -> u64 {
    let line = list.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
