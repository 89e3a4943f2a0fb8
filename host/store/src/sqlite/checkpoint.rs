//! Checkpoints: moving committed pages from the log to the database file, concurrently with commits.
//!
//! A checkpoint writes about a thousand pages, which takes tens of milliseconds. By default the writer does it, which delays
//! everything that waits for a commit; so a thread with its own connection does nearly all of it.
//!
//! Two things would still make the writer wait long:
//! - SQLite flushes the database file only when it has reached the end of the log, which it may not for a long time while
//!   commits go on. Then a single flush has all the pages of that time to write, and the commits' own flushes wait for it. So
//!   this thread flushes the file after each checkpoint.
//! - The log is reset only at its end, too. Once it is long, this thread holds the writer between two commits while it
//!   moves what is left: the pages of one or two commits. The writer's own checkpoint (`wal_autocheckpoint`, see [`open`])
//!   is for the case that this thread fails.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::OpenError;
use super::open;

/// The interval between checkpoints. Their writes share the disk with the commits' flushes, which wait for all of them, so
/// each should be small. Fewer checkpoints would write less in total, since the same pages change all the time.
const EVERY: Duration = Duration::from_millis(50);

/// The length of a log, in pages, from which its end is reached with the writer held: 32 MiB. A longer one takes longer to
/// read after a crash; a shorter one is held more often, for some two milliseconds, and the pages that change all the time
/// are written each time.
const LOG_LONG: i64 = 8_192;

/// The checkpoint thread. Dropping it ends the thread and waits for it.
pub(super) struct Checkpointer {
    /// None once dropped.
    committed: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<Mutex<()>>,
}

impl Checkpointer {
    /// Starts the thread, with a connection of its own.
    pub(super) fn start(path: &Path) -> Result<Self, OpenError> {
        let unusable = |error| OpenError::Directory(path.to_owned(), error);
        // Closing it releases SQLite's own locks of the file, by POSIX; so it stays open. Another host is kept off by a lock
        // of ours.
        let file = File::open(path).map_err(unusable)?;
        let checkpoints = Checkpoints { db: open::checkpointer(path)?, file, commits: Arc::default() };
        let commits = Arc::clone(&checkpoints.commits);
        let (committed, notified) = sync_channel(1);
        let work = move || {
            while notified.recv().is_ok() {
                let until = Instant::now() + EVERY;
                loop {
                    match notified.recv_timeout(until.saturating_duration_since(Instant::now())) {
                        Ok(()) => {}
                        Err(RecvTimeoutError::Timeout) => break,
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
                if let Err(error) = checkpoints.run() {
                    tracing::warn!(
                        error = &*error as &dyn std::error::Error,
                        "checkpoint failed, the log grows until one succeeds"
                    );
                }
            }
        };
        let thread = std::thread::Builder::new().name("store-checkpoint".to_owned()).spawn(work);
        Ok(Self { committed: Some(committed), thread: Some(thread.map_err(OpenError::Thread)?), commits })
    }

    /// Waits while the thread holds the writer; a transaction runs while the result is held.
    pub(super) fn transaction(&self) -> MutexGuard<'_, ()> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notifies the thread of a commit.
    pub(super) fn committed(&self) {
        // A full channel means that it has been notified already.
        let _ = self.committed.as_ref().map(|committed| committed.try_send(()));
    }
}

/// What the thread works with.
struct Checkpoints {
    db: Connection,
    file: File,
    /// Locked by the writer during each transaction.
    commits: Arc<Mutex<()>>,
}

impl Checkpoints {
    /// Moves committed pages; all of them, so that the log is reset, if it is long.
    fn run(&self) -> Result<(), Box<dyn std::error::Error>> {
        if self.passive()? >= LOG_LONG {
            // What was committed during the first takes less time, and what the writer is held for even less.
            self.passive()?;
            let _held = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
            self.passive()?;
        }
        Ok(())
    }

    /// Moves committed pages, without waiting for anybody, and flushes them. Returns the number of the log's pages.
    fn passive(&self) -> Result<i64, Box<dyn std::error::Error>> {
        let log = self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
        self.file.sync_data()?;
        Ok(log)
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
