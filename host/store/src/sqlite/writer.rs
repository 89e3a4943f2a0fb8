//! The one writer: a thread that owns the writing connection and commits operations in groups.
//!
//! A commit costs one flush of the disk, whatever is in it. So the thread takes all that has queued up into one
//! transaction, commits it, and only then answers. Idle, an operation is committed at once. Under load the next group
//! gathers while this one is being flushed, and for a moment longer ([`PACE`]): a commit writes each page that it changed
//! whole, so the same operations in twice as many commits cost twice the pages.
//!
//! An operation that fails must not undo its neighbours. Failures are rare (a broken disk, a caller's bug), and a
//! savepoint around each operation would add half to the CPU of every one of them; so a group runs without, and only if
//! something fails it is rolled back and run again, each operation behind a savepoint of its own. That is sound because an operation
//! has no effect but on the database. Hence `FnMut`.
//!
//! What an operation does not rely on: that its caller is still there. Once queued, it is carried out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::super::StoreError;
use super::checkpoint::Checkpointer;

/// Operations of one transaction: more gain nothing measurable, and the first of them waits for the last.
const GROUP_MAX: usize = 512;

/// Operations that may queue: two groups. Callers beyond it wait their turn, so that the queue holds no more memory.
const QUEUE_MAX: usize = 2 * GROUP_MAX;

/// How far apart commits begin while there is company: some of it is had by waiting. Well below what anybody waits for
/// under load, and above what a flush of a good disk takes.
const PACE: Duration = Duration::from_millis(4);

/// Operations from which on there is company: who posts one after another makes groups of one or two.
const COMPANY_MIN: usize = 4;

/// The way to the writing thread. Dropped, it lets the thread finish what is queued and waits for it.
pub(super) struct Writer {
    /// None once dropped.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(db: Connection, checkpointer: Checkpointer) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let commits = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&commits);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || work(&db, jobs, &counted, &checkpointer))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), commits })
    }

    /// How many groups were committed.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Queues `operation`; returns what it did once that is on disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        operation: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Operation { operation, result: Err(StoreError::Closed), answer });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(job).await.map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, which has been reported where it happened.
            let _ = thread.join();
        }
    }
}

/// An operation in the queue, whatever its type.
trait Job: Send {
    /// Carries it out; false if it failed.
    fn run(&mut self, db: &Connection) -> bool;
    /// Tells its caller what came of it, or that its group was not committed.
    fn answer(self: Box<Self>, group: Result<(), Arc<rusqlite::Error>>);
}

struct Operation<F, T> {
    operation: F,
    result: Result<T, StoreError>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Operation<F, T>
where
    F: FnMut(&Connection) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, db: &Connection) -> bool {
        self.result = (self.operation)(db);
        self.result.is_ok()
    }

    fn answer(self: Box<Self>, group: Result<(), Arc<rusqlite::Error>>) {
        let result = match group {
            Ok(()) => self.result,
            Err(error) => Err(StoreError::Database(Box::new(error))),
        };
        // The caller may have gone away; that changes nothing.
        let _ = self.answer.send(result);
    }
}

/// The thread: until nobody can queue any more.
fn work(db: &Connection, mut jobs: mpsc::Receiver<Box<dyn Job>>, commits: &AtomicU64, checkpointer: &Checkpointer) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    let mut in_company = false;
    let mut began = Instant::now();
    while jobs.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        if in_company {
            std::thread::sleep(PACE.saturating_sub(began.elapsed()));
            while group.len() < GROUP_MAX
                && let Ok(job) = jobs.try_recv()
            {
                group.push(job);
            }
        }
        in_company = group.len() >= COMPANY_MIN;
        began = Instant::now();
        let committed = commit(db, &mut group).map_err(Arc::new);
        commits.fetch_add(u64::from(committed.is_ok()), Ordering::Relaxed);
        checkpointer.committed();
        for job in group.drain(..) {
            job.answer(committed.clone());
        }
    }
}

/// Carries out a group in one transaction and commits it. On an error nothing of it remains.
fn commit(db: &Connection, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let committed = run(db, group);
    if committed.is_err() && !db.is_autocommit() {
        execute(db, "ROLLBACK")?;
    }
    committed
}

fn run(db: &Connection, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    execute(db, "BEGIN IMMEDIATE")?;
    if !group.iter_mut().all(|job| job.run(db)) {
        // SQLite rolls back by itself where it cannot go on, as with a full disk.
        if !db.is_autocommit() {
            execute(db, "ROLLBACK")?;
        }
        execute(db, "BEGIN IMMEDIATE")?;
        run_apart(db, group)?;
    }
    execute(db, "COMMIT")
}

/// Carries out each operation so that its failure undoes it alone.
fn run_apart(db: &Connection, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    for job in group {
        execute(db, "SAVEPOINT operation")?;
        if !job.run(db) {
            execute(db, "ROLLBACK TO operation")?;
        }
        execute(db, "RELEASE operation")?;
    }
    Ok(())
}

fn execute(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}
