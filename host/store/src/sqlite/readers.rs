//! Readers: threads with connections that see what is committed, without waiting for the writer.
//!
//! The deliver loop has readers of its own, so that it never waits for a caller's query. Callers share the others: a query
//! has a time limit, and one space takes at most half of the readers, so that another's query waits for a short queue only.
//! They are threads of the store, not of the runtime's pool for blocking work, which other work may occupy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hookmill_model::SpaceId;
use hookmill_turns::Shares;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::super::StoreError;
use super::open;

/// Concurrent queries of callers. They are short; more would only multiply page caches.
pub(super) const CALLERS_READERS: usize = 4;

/// Concurrent queries of the deliver loop and of notices: one looks for due rows while another reads a component.
pub(super) const LOOP_READERS: usize = 2;

/// The time limit of a caller's query. Listings end their page before it; anything else reads a few rows.
pub(super) const QUERY_TIME_MAX: Duration = Duration::from_secs(5);

/// How much lower the priority of callers' readers is than that of threads which serve everybody (`man 7 sched`, nice
/// value).
const CALLERS_NICENESS: i32 = 10;

/// SQLite's steps between two looks at the clock: less than a millisecond.
const STEPS: i32 = 10_000;

/// A query on a thread's connection, which is opened when first needed.
type Job = Box<dyn FnOnce(&mut Option<Connection>, &Path) + Send>;

/// A pool of readers. Dropping it waits until queued queries are done.
pub(super) struct Readers {
    /// None once dropped.
    queue: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    time_max: Option<Duration>,
    /// The queries of each space that are queued or run.
    shares: Shares,
}

impl Readers {
    /// Starts `count` threads that read `file`, each query with this time limit.
    pub(super) fn start(file: PathBuf, name: &str, count: usize, time_max: Option<Duration>) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel::<Job>();
        let (jobs, file) = (Arc::new(Mutex::new(jobs)), Arc::<Path>::from(file));
        // What callers ask for may take long; the loop waits for each of its own queries.
        let niceness = if time_max.is_some() { CALLERS_NICENESS } else { 0 };
        let threads = (0..count).map(|_| {
            let (jobs, file) = (Arc::clone(&jobs), Arc::clone(&file));
            std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&jobs, &file, niceness))
        });
        let threads = threads.collect::<std::io::Result<_>>()?;
        Ok(Self { queue: Some(queue), threads, time_max, shares: Shares::new((count / 2).max(1)) })
    }

    /// Runs `query`, whose statements all see the same state.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(query, None).await
    }

    /// Runs a space's query when it is the space's turn.
    pub(super) async fn read_for<T: Send + 'static>(
        &self,
        space: &SpaceId,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.shares.take(space, 1).await;
        self.run(query, Some(turn)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let time_max = self.time_max;
        let job: Job = Box::new(move |db, file| {
            let result = read(db, file, time_max, query);
            // Until here, so that the turn covers the query itself, not its caller, who may have gone away.
            drop(turn);
            let _ = answer.send(result);
        });
        self.queue.as_ref().ok_or(StoreError::Closed)?.send(job).map_err(|_| StoreError::Closed)?;
        // No answer if the query panicked, which the panic hook has reported.
        answered.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            // An error means that the thread panicked, which the panic hook has reported.
            let _ = thread.join();
        }
    }
}

/// Runs a thread until the queue is closed.
fn work(jobs: &Mutex<mpsc::Receiver<Job>>, file: &Path, niceness: i32) {
    hookmill_turns::lower_priority(niceness);
    let mut db = None;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if catch_unwind(AssertUnwindSafe(|| job(&mut db, file))).is_err() {
            db = None;
        }
    }
}

fn read<T>(
    db: &mut Option<Connection>,
    file: &Path,
    time_max: Option<Duration>,
    query: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let db = match db {
        Some(db) => db,
        None => db.insert(open::reader(file)?),
    };
    if let Some(time_max) = time_max {
        let until = Instant::now() + time_max;
        db.progress_handler(STEPS, Some(move || Instant::now() >= until))?;
    }
    let _snapshot = db.unchecked_transaction()?;
    query(db)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_query_without_an_end_is_ended_and_the_next_one_has_its_own_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("hookmill.db");
        drop(open::writer(&file).expect("a database"));
        let readers = Readers::start(file, "reader", 1, Some(Duration::from_millis(20))).expect("a thread");
        let endless = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT max(n) FROM n";
        for _ in 0..2 {
            let result = readers.read(move |db| Ok(db.query_row(endless, [], |row| row.get::<_, i64>(0))?)).await;
            assert!(matches!(result, Err(StoreError::TooSlow)), "{result:?}");
            let result = readers.read(|db| Ok(db.query_row("SELECT 1", [], |row| row.get::<_, i64>(0))?)).await;
            assert_eq!(result.expect("it is quick"), 1);
        }
    }
}
