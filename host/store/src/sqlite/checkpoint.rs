//! Checkpoints: what was committed goes from the log to the database's file, beside the commits.
//!
//! A checkpoint writes some thousand pages, which takes tens of milliseconds. Done by the writer, as SQLite does it by
//! itself, each holds up whoever waits for a commit; so a thread with a connection of its own does nearly all of it. Under
//! the highest load it may never come to the end of the log, and only then does the log begin anew: the writer's own
//! checkpoint (`wal_autocheckpoint`, see [`open`](super::open)) comes once the log is long, and finds little left to do.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Row};

/// How far apart checkpoints begin. Their writing shares the disk with the commits' flushes, which wait for all of it: so
/// little at a time. Rarer ones would write less, since the same pages change all the time.
const EVERY: Duration = Duration::from_millis(50);

/// How often it is tried again to come to the log's end: each time there is less left, and two commits are some
/// milliseconds apart.
const ROUNDS: usize = 4;

/// The thread that makes checkpoints. Dropped, it ends the thread and waits for it.
pub(super) struct Checkpointer {
    /// None once dropped.
    committed: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread on a connection of its own.
    pub(super) fn start(db: Connection) -> std::io::Result<Self> {
        let (committed, commits) = sync_channel(1);
        let work = move || {
            while commits.recv().is_ok() {
                let until = Instant::now() + EVERY;
                loop {
                    match commits.recv_timeout(until.saturating_duration_since(Instant::now())) {
                        Ok(()) => {}
                        Err(RecvTimeoutError::Timeout) => break,
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
                checkpoint(&db);
            }
        };
        let thread = std::thread::Builder::new().name("store-checkpoint".to_owned()).spawn(work)?;
        Ok(Self { committed: Some(committed), thread: Some(thread) })
    }

    /// Tells that something was committed.
    pub(super) fn committed(&self) {
        // Full means that it has been told already.
        let _ = self.committed.as_ref().map(|committed| committed.try_send(()));
    }
}

/// Moves what was committed, until the end of the log if it can.
fn checkpoint(db: &Connection) {
    for _ in 0..ROUNDS {
        // Passive: it waits for nobody, and does what it can. Tells the log's pages, and how many of them are moved.
        let pages = |row: &Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        match db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages) {
            Ok((log, moved)) if log == moved => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "a checkpoint failed; the log grows until one does not");
                return;
            }
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.committed.take());
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, which has been reported where it happened.
            let _ = thread.join();
        }
    }
}
