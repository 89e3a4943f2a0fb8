//! Opening the store: the lock on the directory, the connections' settings, the migrations.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::super::StoreError;
use super::migrate;

/// The reason why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be created, or the lock file cannot be opened.
    #[error("cannot use the data directory {}", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    /// Others may read the directory, and it is another user's, so that this process cannot change that.
    #[error(
        "others may read the data directory {}, which is another user's: make it yours with mode 0700, or name a folder \
         in it that does not exist yet",
        .0.display()
    )]
    Loose(PathBuf),
    /// Another process has the lock.
    #[error("the data directory {} is in use by another host", .0.display())]
    InUse(PathBuf),
    /// A later version of this program wrote the database.
    #[error("the database has schema {found}, but this version supports at most {known}: a later version wrote it")]
    Newer {
        /// The schema's number in the file.
        found: usize,
        /// The last number that this version supports.
        known: usize,
    },
    /// SQLite cannot open the database.
    #[error("cannot open the database")]
    Database(#[from] rusqlite::Error),
    /// A migration failed; the database is unchanged.
    #[error("migration {0} failed")]
    Migration(usize, #[source] rusqlite::Error),
    /// A thread cannot be started.
    #[error("cannot start a thread of the store")]
    Thread(#[source] io::Error),
}

/// The migrations in order; the file's `user_version` is the number of those applied.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_profiles.sql"),
    include_str!("../../migrations/0003_notices.sql"),
    include_str!("../../migrations/0004_plugins.sql"),
    include_str!("../../migrations/0005_shadows.sql"),
    include_str!("../../migrations/0006_sources.sql"),
    include_str!("../../migrations/0007_words.sql"),
    include_str!("../../migrations/0008_quotas.sql"),
    include_str!("../../migrations/0009_turns.sql"),
    include_str!("../../migrations/0010_append.sql"),
];

/// What lies in the data directory. SQLite gives its log and index the database's own permissions.
const FILES: [&str; 4] = ["hookmill.lock", "hookmill.db", "hookmill.db-wal", "hookmill.db-shm"];

/// Takes the lock against a second host on `dir`, which is created if it does not exist. The lock is held while the file
/// is open: a killed process leaves nothing to clean up.
///
/// The directory and its files are for their owner only: the database holds signing secrets. What was looser before, by
/// an operator's `mkdir` or an earlier version, is tightened.
pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
    let unusable = |error| OpenError::Directory(dir.to_owned(), error);
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable)?;
    match tighten(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(OpenError::Loose(dir.to_owned())),
        Err(error) => return Err(unusable(error)),
    }
    let open = |name: &str| File::options().create(true).append(true).mode(0o600).open(dir.join(name));
    // SQLite would create it for all to read.
    open("hookmill.db").map_err(unusable)?;
    let file = open("hookmill.lock").map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Takes from the directory and its files what others may do with them, and says so.
fn tighten(dir: &Path) -> io::Result<()> {
    let paths = std::iter::once(dir.to_owned()).chain(FILES.map(|name| dir.join(name)));
    for path in paths {
        let mode = match fs::metadata(&path) {
            Ok(found) => found.permissions().mode() & 0o7777,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if mode & 0o077 != 0 {
            fs::set_permissions(&path, Permissions::from_mode(mode & 0o700))?;
            tracing::warn!(path = %path.display(), was = format!("{mode:04o}"), "others could read it: now only its owner can");
        }
    }
    Ok(())
}

/// Opens the writing connection and migrates the schema.
pub(super) fn writer(file: &Path) -> Result<Connection, OpenError> {
    let mut db = Connection::open(file)?;
    common(&db)?;
    // Readers and the writer do not wait for each other; a commit is one append to one file.
    db.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is on disk when it returns. With NORMAL, a power failure would lose the last ones, after their 202.
    db.pragma_update(None, "synchronous", "FULL")?;
    // In KiB. What is appended to is a few pages of each table and index. A larger cache costs more than it saves: after a
    // commit that split a page, SQLite walks all of it (`pcache1TruncateUnsafe`), a sixth of this thread's time with 64 MiB.
    db.pragma_update(None, "cache_size", -16_384)?;
    // In pages, 64 MiB: if the checkpoint thread does not reach the end of the log for long, this checkpoint does. After a
    // crash no more than this is read again, in a fraction of a second.
    db.pragma_update(None, "wal_autocheckpoint", 16_384)?;
    // A table that others refer to can only be recreated while references are not checked.
    db.pragma_update(None, "foreign_keys", false)?;
    migrate(&mut db)?;
    // Off by default in SQLite: checks the schema's references.
    db.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten; appended rows pay nothing for it. Only now: a migration would write all it drops.
    db.pragma_update(None, "secure_delete", true)?;
    Ok(db)
}

/// Opens the connection for checkpoints.
pub(super) fn checkpointer(file: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(file)?;
    common(&db)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(db)
}

/// Opens a reading connection.
pub(super) fn reader(file: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    common(&db)?;
    // In KiB. Listings read a page or two of an index and their rows.
    db.pragma_update(None, "cache_size", -8_192)?;
    Ok(db)
}

/// No other host has the file locked, but someone may inspect it with the sqlite3 shell.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Applies the settings of all connections. `mmap_size` stays 0: on mapped pages, a disk error is a signal that kills the
/// process.
fn common(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY_TIMEOUT)?;
    // Sorting a page of a listing does not need a file.
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // Fits all statements of the product, including the variants of the listing; the default is 16.
    db.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Writes the page that holds the schema's number, with the number that it has: a write that changes nothing.
pub(super) fn probe(db: &Connection) -> Result<(), StoreError> {
    Ok(db.pragma_update(None, "user_version", u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX))?)
}

/// Applies the missing migrations, each in a transaction.
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
    if number == migrate::APPEND {
        migrate::append(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", u32::try_from(number).unwrap_or(u32::MAX))?;
    transaction.commit()
}
