//! A disk that is slow, fails or hangs, as the test tells it: under the real binary, for the write-ahead log alone.
//!
//! The half that the host loads is `slow_disk.c`. It asks here before each flush, and does not return from one before
//! it was counted here. So whoever gets an answer that waited for a flush finds that flush counted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::receiver::DEADLINE;

/// How long a flush takes at least: long enough that an answer that does not wait for it comes before it.
const FLUSH: Duration = Duration::from_millis(20);

/// What becomes of flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They work, slowly.
    Slow,
    /// They fail with EIO, and nothing is flushed.
    Broken,
    /// They wait for another mode.
    Stuck,
}

/// The flushes so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flushes {
    /// That began.
    pub begun: u64,
    /// That worked.
    pub done: u64,
    /// Whether one is stuck.
    pub stuck: bool,
}

/// The disk.
pub struct SlowDisk {
    dir: TempDir,
    mode: watch::Sender<Mode>,
    flushes: Arc<watch::Sender<Flushes>>,
}

impl SlowDisk {
    /// A slow one.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/support/slow_disk.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-pthread", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([library(dir.path()), source])
            .output()
            .expect("there is a C compiler");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let listener = UnixListener::bind(socket(dir.path())).unwrap();
        let (mode, modes) = watch::channel(Mode::Slow);
        let flushes = Arc::new(watch::Sender::new(Flushes::default()));
        tokio::spawn(accept(listener, modes, flushes.clone()));
        Self { dir, mode, flushes }
    }

    /// What a host's environment has to hold for it to use this disk.
    pub fn env(&self) -> [(&'static str, PathBuf); 2] {
        [("LD_PRELOAD", library(self.dir.path())), ("SLOW_DISK", socket(self.dir.path()))]
    }

    /// Behaves so from the next flush on; a stuck one goes on at once.
    pub fn turn(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// The flushes so far.
    pub fn flushes(&self) -> Flushes {
        *self.flushes.borrow()
    }

    /// Waits until a flush is stuck.
    pub async fn wait_until_stuck(&self) {
        let mut flushes = self.flushes.subscribe();
        timeout(DEADLINE, flushes.wait_for(|flushes| flushes.stuck)).await.expect("no flush began").unwrap();
    }
}

fn library(dir: &Path) -> PathBuf {
    dir.join("slow_disk.so")
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("slow_disk.socket")
}

async fn accept(listener: UnixListener, modes: watch::Receiver<Mode>, flushes: Arc<watch::Sender<Flushes>>) {
    while let Ok((host, _)) = listener.accept().await {
        let (modes, flushes) = (modes.clone(), flushes.clone());
        // It ends with its host, or with the test.
        tokio::spawn(async move { serve(host, modes, &flushes).await });
    }
}

async fn serve(
    mut host: UnixStream,
    mut modes: watch::Receiver<Mode>,
    flushes: &watch::Sender<Flushes>,
) -> anyhow::Result<()> {
    loop {
        assert_eq!(host.read_u8().await?, b'?');
        flushes.send_modify(|flushes| flushes.begun += 1);
        if *modes.borrow() == Mode::Stuck {
            flushes.send_modify(|flushes| flushes.stuck = true);
        }
        let mode = *modes.wait_for(|mode| *mode != Mode::Stuck).await?;
        flushes.send_modify(|flushes| flushes.stuck = false);
        if mode == Mode::Broken {
            host.write_u8(b'F').await?;
            continue;
        }
        tokio::time::sleep(FLUSH).await;
        host.write_u8(b'!').await?;
        assert_eq!(host.read_u8().await?, b'.');
        flushes.send_modify(|flushes| flushes.done += 1);
        host.write_u8(b'!').await?;
    }
}
