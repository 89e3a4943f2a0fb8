//! A restart: the next host begins while the one before it is still ending.

use std::path::Path;
use std::process::Stdio;

use hookmill_server::clock::Clock;
use hookmill_server::config::Config;
use hookmill_store::{OpenError, Sqlite};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::support::host::BINARY;
use crate::support::process::Process;

const IN_USE: &str = "data directory in use by another host";

#[tokio::test]
async fn a_host_waits_until_the_one_before_it_on_its_directory_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let before = Process::start(dir.path()).await;
    let mut command = Command::new(BINARY);
    command.env("HOOKMILL_CONFIG", dir.path().join("hookmill.toml"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path());
    let mut next = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut log = BufReader::new(next.stderr.take().unwrap()).lines();
    loop {
        let line = log.next_line().await.unwrap().expect("the host ended instead of waiting");
        if line.contains(IN_USE) {
            break;
        }
    }
    before.terminate().await;
    let mut output = BufReader::new(next.stdout.take().unwrap()).lines();
    let first = output.next_line().await.unwrap().expect("the host gave up");
    assert!(first.starts_with("Hookmill listens on "), "{first}");
}

#[tokio::test]
async fn a_host_gives_up_on_a_directory_that_stays_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let _other = Sqlite::open(dir.path()).unwrap();
    let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let error = hookmill_server::open(config, clock, Path::new(BINARY).to_owned()).await.err().unwrap();
    assert!(matches!(error.downcast_ref(), Some(OpenError::InUse(_))), "{error:?}");
}
