//! What the tests share.

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
