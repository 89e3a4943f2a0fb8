//! Checkpoints: moving committed pages from the log to the database file, concurrently with commits.
//!
//! A checkpoint writes about a thousand pages, which takes tens of milliseconds. By default the writer does it, which delays
//! everything that waits for a commit; so a thread with its own connection does nearly all of it. Under the highest load
//! it may never reach the end of the log, and only at the end is the log reset: the writer's own checkpoint
//! (`wal_autocheckpoint`, see [`open`]) runs once the log is long, and finds little left to do.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Row};

use super::open;

/// The interval between checkpoints. Their writes share the disk with the commits' flushes, which wait for all of them, so
/// each should be small. Fewer checkpoints would write less in total, since the same pages change all the time.
const EVERY: Duration = Duration::from_millis(50);

/// The number of attempts to reach the end of the log: each has less to do, and two commits are some milliseconds apart.
const ROUNDS: usize = 4;

/// The checkpoint thread. Dropping it ends the thread and waits for it.
pub(super) struct Checkpointer {
    /// None once dropped.
    committed: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread with its own connection.
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

    /// Notifies the thread of a commit.
    pub(super) fn committed(&self) {
        // A full channel means that it has been notified already.
        let _ = self.committed.as_ref().map(|committed| committed.try_send(()));
    }
}

/// Moves committed pages, up to the end of the log if possible.
fn checkpoint(db: &Connection) {
    for _ in 0..ROUNDS {
        // A passive checkpoint never waits. It returns the number of the log's pages, and how many of them are moved.
        let pages = |row: &Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        match db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages) {
            Ok((log, moved)) if log == moved => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "checkpoint failed, the log grows until one succeeds"
                );
                return;
            }
        }
    }
}

/// Moves all committed pages and cuts the log to nothing, unless somebody reads it or moves pages at this moment. For the
/// writer's connection, outside of a transaction: it waits for nobody, since all wait for it.
pub(super) fn empty_log(db: &Connection) -> bool {
    let emptied = db
        .busy_timeout(Duration::ZERO)
        .and_then(|()| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0)));
    let restored = db.busy_timeout(open::BUSY_TIMEOUT);
    emptied.and_then(|emptied| restored.map(|()| emptied)).unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "emptying the log failed");
        false
    })
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.committed.take());
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked, which the panic hook has reported.
            let _ = thread.join();
        }
    }
}
