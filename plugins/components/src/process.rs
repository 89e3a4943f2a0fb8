//! Child processes with a time limit.

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

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::{output, run};

    #[test]
    fn a_program_that_does_not_end_is_stopped() {
        let start = Instant::now();
        let error = run(Command::new("sleep").arg("60"), Duration::from_secs(1)).expect_err("it does not end");
        assert_eq!(error.to_string(), "`sleep 60` was stopped after 1 s");
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn the_output_is_what_the_program_prints() {
        let limit = Duration::from_secs(30);
        assert_eq!(output(Command::new("echo").arg("a b"), limit).expect("it ends"), "a b\n");
        let error = run(&mut Command::new("false"), limit).expect_err("it fails");
        assert_eq!(error.to_string(), "`false` failed (exit status: 1)");
    }
}
