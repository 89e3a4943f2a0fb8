//! The store in SQLite: one file in a directory that only one host uses.
//!
//! All writes go through one thread, which commits in groups ([`writer`]); another thread moves committed pages to the
//! database file ([`checkpoint`]); reads use threads with their own connections ([`readers`]). The other modules hold the SQL by subject,
//! as plain functions over a connection.
//!
//! A process that dies at any moment leaves a consistent file with everything that was confirmed. SQLite guarantees that
//! under `synchronous = FULL`, if the disk honors flushes.

mod accept;
mod attempts;
mod backlog;
mod batches;
mod checkpoint;
mod deliveries;
mod erase;
mod erasures;
mod events;
mod finding;
mod forget;
mod forgetting;
mod ids;
mod keys;
mod lease;
mod leases;
mod marks;
mod migrate;
mod names;
mod notices;
mod open;
mod pages;
mod pinned;
#[cfg(test)]
mod plans;
mod plugins;
mod queues;
mod readers;
mod record;
mod replays;
mod rollup;
mod row;
mod search;
mod shadows;
mod sources;
mod spaces;
mod store;
mod stored;
mod subscriptions;
mod tallies;
mod unreadable;
mod values;
mod writer;
mod writing;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use checkpoint::Checkpointer;
pub use open::OpenError;
use readers::{CALLERS_READERS, LOOP_READERS, QUERY_TIME_MAX, Readers};
use writer::Writer;
use writing::Shared;

/// The store in a directory. Dropping it finishes queued operations and closes the file.
pub struct Sqlite {
    // In this order: the writer ends before the lock is released.
    writer: Writer,
    /// Of callers.
    readers: Readers,
    /// Of the deliver loop, of notices, and of what a start reads.
    own_readers: Readers,
    shared: Arc<Shared>,
    /// Deliveries that the process before was sending for the first time, until they were reported.
    recovered: AtomicUsize,
    _lock: File,
}

impl Sqlite {
    /// Opens or creates the store in `dir`. Locks the directory for this process and migrates the schema.
    ///
    /// # Errors
    /// If another process has the lock, a later version wrote the database, or the disk or SQLite fails.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let lock = open::lock(dir)?;
        let file = dir.join("hookmill.db");
        let db = open::writer(&file)?;
        let recovered = marks::recover(&db)?;
        let (marks, queues) = (marks::read(&db)?, queues::Queues::load(&db)?);
        let backlog = queues.backlog();
        let shared = Arc::new(Shared::new(marks.next_key, stored::StoredBytes::load(&db)?, queues));
        let checkpointer = Checkpointer::start(&file)?;
        let writer =
            Writer::start(db, Arc::clone(&shared), (marks, backlog), checkpointer).map_err(OpenError::Thread)?;
        let own_readers = Readers::start(file.clone(), "store-loop", LOOP_READERS, None).map_err(OpenError::Thread)?;
        let readers = Readers::start(file, "store-reader", CALLERS_READERS, Some(QUERY_TIME_MAX));
        let recovered = AtomicUsize::new(recovered);
        Ok(Self { writer, readers: readers.map_err(OpenError::Thread)?, own_readers, shared, recovered, _lock: lock })
    }
}
