//! Programs that must end.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// Runs a program without input, and stops it after `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<()> {
    let shown = shown(command);
    let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("running {shown}"))?;
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait().with_context(|| format!("waiting for {shown}"))? {
            ensure!(status.success(), "{shown} failed ({status})");
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    // Both fail only if it has just ended.
    let _ = child.kill();
    let _ = child.wait();
    bail!("{shown} was stopped after {} s", limit.as_secs())
}

/// Runs a program like [`run`], and returns what it prints.
pub(crate) fn output(command: &mut Command, limit: Duration) -> Result<String> {
    let mut file = tempfile::tempfile().context("making a temporary file")?;
    run(command.stdout(file.try_clone().context("using a temporary file")?), limit)?;
    read(&mut file).with_context(|| format!("reading the output of {}", shown(command)))
}

fn read(file: &mut File) -> std::io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// The program and its arguments.
fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    format!("`{}`", words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
}
