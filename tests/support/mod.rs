//! What the tests share.

pub mod client;
pub mod cpu;
pub mod errors;
pub mod fixtures;
pub mod host;
pub mod process;
pub mod receiver;
pub mod signature;
pub mod sink;
pub mod slow_disk;
pub mod smtp;
pub mod tls;

/// Writes a program for the shell.
///
/// A process of its own does it: a file that this one had open for writing while another test starts a process could not be
/// run for a moment ("text file busy").
pub fn script(path: &std::path::Path, text: &str) {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut command = Command::new("sh");
    command.args(["-c", "cat >\"$0\" && chmod 700 \"$0\""]).arg(path).stdin(Stdio::piped());
    let mut writing = command.spawn().unwrap();
    writing.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{text}\n").as_bytes()).unwrap();
    assert!(writing.wait().unwrap().success());
}

/// Reports that a test is left out because a tool is missing, on a line that the test runner does not capture.
///
/// # Panics
/// If the environment has `CI=true`: there, every tool is installed and every test runs.
pub fn left_out(test: &str, missing: &str, install: &str) {
    use std::io::Write as _;
    let line = format!("LEFT OUT: {test}: {missing} not found; to run it: {install}\n");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{line}");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
