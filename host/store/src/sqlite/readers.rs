//! Readers: a few connections that see what is committed, without waiting for the writer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::super::StoreError;
use super::open;

/// Concurrent reads. They are short; more would only multiply page caches.
const READERS_MAX: usize = 4;

/// The pool. Clones share it.
#[derive(Clone)]
pub(super) struct Readers {
    file: Arc<Path>,
    /// Opened when first needed.
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Creates a pool for `file`.
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file: file.into(), idle: Arc::default(), permits: Arc::new(Semaphore::new(READERS_MAX)) }
    }

    /// Runs `query` on a blocking thread. All its statements see the same state.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let pool = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            // Moved in here, so that the permit covers the read itself, not its caller.
            let _permit = permit;
            pool.read_blocking(query)
        });
        reading.await.map_err(|error| StoreError::Database(Box::new(error)))?
    }

    fn read_blocking<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let db = match self.idle().pop() {
            Some(db) => db,
            None => open::reader(&self.file)?,
        };
        let snapshot = db.unchecked_transaction()?;
        let result = query(&db);
        drop(snapshot);
        self.idle().push(db);
        result
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
