//! Opening: the lock on the directory, the connections' settings, the migrations.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or the lock file not be opened.
    #[error("the data directory {} cannot be used", .0.display())]
    Directory(PathBuf, #[source] std::io::Error),
    /// Another process has it open.
    #[error("the data directory {} is in use by another host", .0.display())]
    InUse(PathBuf),
    /// A later version of this program wrote it.
    #[error("the database has schema {found}, and this version knows {known} at most: a later version wrote it")]
    Newer {
        /// The schema's number in the file.
        found: usize,
        /// The last number that this version knows.
        known: usize,
    },
    /// SQLite cannot open it.
    #[error("the database cannot be opened")]
    Database(#[from] rusqlite::Error),
    /// A migration failed; the database is as it was before it.
    #[error("migration {0} failed")]
    Migration(usize, #[source] rusqlite::Error),
    /// The thread that writes cannot be started.
    #[error("the writing thread cannot be started")]
    Thread(#[source] std::io::Error),
}

/// The schema's steps, in order; the file's `user_version` says how many have been taken.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_profiles.sql"),
    include_str!("../../migrations/0003_notices.sql"),
    include_str!("../../migrations/0004_plugins.sql"),
    include_str!("../../migrations/0005_shadows.sql"),
    include_str!("../../migrations/0006_sources.sql"),
    include_str!("../../migrations/0007_words.sql"),
];

/// Takes the lock that keeps a second host away from `dir`, which is made if there is none. Holds while the file is
/// open, and no longer: a killed process leaves nothing to clean up.
pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
    let unusable = |error| OpenError::Directory(dir.to_owned(), error);
    // For its owner alone: the database holds signing secrets.
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable)?;
    let file = dir.join("hookmill.lock");
    let file = File::options().create(true).append(true).open(file).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// The connection that writes, its schema brought up to date.
pub(super) fn writer(file: &Path) -> Result<Connection, OpenError> {
    let mut db = Connection::open(file)?;
    common(&db)?;
    // Readers do not wait for the writer, nor it for them; a commit is one append to one file.
    db.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is on disk when it returns. NORMAL would lose the last ones with the power, after their 202.
    db.pragma_update(None, "synchronous", "FULL")?;
    // KiB. Keeps the upper pages of some millions of rows' indexes in memory; the default is 2 MiB.
    db.pragma_update(None, "cache_size", -65_536)?;
    // Pages, 64 MiB: where the checkpoints beside the commits did not come to the log's end, this one does. A crash
    // leaves no more than this to be read again, a fraction of a second.
    db.pragma_update(None, "wal_autocheckpoint", 16_384)?;
    // A table that others refer to can be made anew only while references are not checked.
    db.pragma_update(None, "foreign_keys", false)?;
    migrate(&mut db)?;
    // Off by default in SQLite. The schema's references are checked.
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(db)
}

/// The connection that makes checkpoints.
pub(super) fn checkpointer(file: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(file)?;
    common(&db)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(db)
}

/// A connection that reads.
pub(super) fn reader(file: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    common(&db)?;
    // KiB. Listings read a page or two of an index and their rows.
    db.pragma_update(None, "cache_size", -8_192)?;
    Ok(db)
}

/// Settings of all connections. `mmap_size` stays 0: on mapped pages, a disk's error is a signal that kills the process.
fn common(db: &Connection) -> rusqlite::Result<()> {
    // Nobody else should have the file locked, but somebody may look into it with the sqlite3 shell.
    db.busy_timeout(Duration::from_secs(5))?;
    // Sorting a page of a listing is no reason to write a file.
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // All statements of the product, the listing's variants included, fit; the default is 16.
    db.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Takes the steps that the file lacks, each in a transaction.
pub(super) fn migrate(db: &mut Connection) -> Result<(), OpenError> {
    let found: usize = db.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))? as usize;
    let known = MIGRATIONS.len();
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(found) {
        step(db, number, sql).map_err(|error| OpenError::Migration(number, error))?;
    }
    Ok(())
}

fn step(db: &mut Connection, number: usize, sql: &str) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(sql)?;
    transaction.pragma_update(None, "user_version", u32::try_from(number).unwrap_or(u32::MAX))?;
    transaction.commit()
}
