//! What the tests share.

pub mod fixtures;
pub mod host;
pub mod process;
pub mod receiver;
pub mod signature;
pub mod sink;
pub mod slow_disk;
pub mod smtp;
pub mod tls;

/// Says that a test is left out, past what the test runner keeps to itself.
pub fn left_out(what: &str) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("LEFT OUT: {what}\n").as_bytes()).unwrap();
}
