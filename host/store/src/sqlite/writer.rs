//! The only writer: a thread that owns the writing connection and commits operations in groups.
//!
//! A commit costs one flush of the disk, whatever its contents. So the thread runs all queued operations in one transaction,
//! commits it, and only then returns their results. When idle, an operation is committed at once. Under load the next
//! group queues up while this one is being flushed, and for a moment longer ([`PACE`]): a commit writes every changed page
//! in full, so the same operations in twice as many commits cost twice the pages.
//!
//! A failed operation must not undo the others of its group. Failures are rare (a broken disk, a caller's bug), and a
//! savepoint around each operation would add half to its CPU time; so a group runs without savepoints, and only if an
//! operation fails, the group is rolled back and run again, each operation with its own savepoint. That is sound because an
//! operation has no effect except on the database. Hence `FnMut`.
//!
//! Once queued, an operation is executed even if its caller has gone away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use hookmill_model::DeliveryState;

use super::super::StoreError;
use super::backlog::{Backlog, CommittedBacklog};
use super::checkpoint::Checkpointer;
use super::writing::{Marks, Shared, Writing};

/// Operations in one transaction: more have no measurable benefit, and the first waits for the last.
const GROUP_MAX: usize = 512;

/// Operations that may queue: two groups. Further callers wait, which limits the queue's memory.
const QUEUE_MAX: usize = 2 * GROUP_MAX;

/// The interval between commits under load, in which more operations queue up. It is well below the latency under load, and
/// above the time of a flush on a good disk.
const PACE: Duration = Duration::from_millis(4);

/// The number of operations in a group that counts as load: a caller that writes sequentially makes groups of one or two.
const COMPANY_MIN: usize = 4;

/// A handle to the writing thread. Dropping it waits until the thread has finished the queue.
pub(super) struct Writer {
    /// None once dropped.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
    backlog: Arc<CommittedBacklog>,
}

impl Writer {
    /// Starts the thread, on a database with this backlog.
    pub(super) fn start(
        db: Connection,
        shared: Arc<Shared>,
        (marks, counted): (Marks, Backlog),
        checkpointer: Checkpointer,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let (commits, backlog) = (Arc::new(AtomicU64::new(0)), Arc::new(CommittedBacklog::default()));
        backlog.add(counted);
        let counts = Counts { commits: Arc::clone(&commits), backlog: Arc::clone(&backlog) };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || work(&Writing::new(&db, shared, marks), jobs, &counts, &checkpointer))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), commits, backlog })
    }

    /// Returns the number of committed groups.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Returns the number of deliveries in each state that is not final.
    pub(super) fn backlog(&self) -> [(DeliveryState, u64); 2] {
        self.backlog.get()
    }

    /// Queues `operation`; returns its result once that is on disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        operation: impl FnMut(&Writing<'_>) -> Result<T, StoreError> + Send + 'static,
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
            // An error means that the thread panicked, which the panic hook has reported.
            let _ = thread.join();
        }
    }
}

/// A queued operation of any result type.
trait Job: Send {
    /// Executes it; false if it failed.
    fn run(&mut self, db: &Writing<'_>) -> bool;
    /// Sends its result to the caller, or the error that its group was not committed.
    fn answer(self: Box<Self>, group: Result<(), Arc<StoreError>>);
}

struct Operation<F, T> {
    operation: F,
    result: Result<T, StoreError>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Operation<F, T>
where
    F: FnMut(&Writing<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, db: &Writing<'_>) -> bool {
        self.result = (self.operation)(db);
        self.result.is_ok()
    }

    fn answer(self: Box<Self>, group: Result<(), Arc<StoreError>>) {
        let result = match group {
            Ok(()) => self.result,
            Err(error) => Err(StoreError::of_group(error)),
        };
        // The caller may have gone away, which does not matter.
        let _ = self.answer.send(result);
    }
}

/// What the thread counts.
struct Counts {
    commits: Arc<AtomicU64>,
    backlog: Arc<CommittedBacklog>,
}

/// Runs the thread until the queue is closed.
fn work(db: &Writing<'_>, mut jobs: mpsc::Receiver<Box<dyn Job>>, counts: &Counts, checkpointer: &Checkpointer) {
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
        let committed = {
            let _transaction = checkpointer.transaction();
            commit(db, &mut group).map_err(Arc::new)
        };
        if let Ok(marks) = &committed {
            counts.commits.fetch_add(1, Ordering::Relaxed);
            counts.backlog.add(db.committed(*marks));
        }
        checkpointer.committed();
        for job in group.drain(..) {
            job.answer(committed.as_ref().map(|_| ()).map_err(Arc::clone));
        }
    }
}

/// Executes a group in one transaction and commits it. On an error, nothing of it remains.
fn commit(db: &Writing<'_>, group: &mut [Box<dyn Job>]) -> Result<Marks, StoreError> {
    let committed = run(db, group);
    if committed.is_err() {
        roll_back(db)?;
    }
    committed
}

fn run(db: &Writing<'_>, group: &mut [Box<dyn Job>]) -> Result<Marks, StoreError> {
    db.begin();
    execute(db, "BEGIN IMMEDIATE")?;
    if !group.iter_mut().all(|job| job.run(db)) {
        roll_back(db)?;
        db.begin();
        execute(db, "BEGIN IMMEDIATE")?;
        run_apart(db, group)?;
    }
    let marks = db.finish()?;
    execute(db, "COMMIT")?;
    Ok(marks)
}

/// Rolls the transaction back, unless SQLite did by itself, as with a full disk.
fn roll_back(db: &Writing<'_>) -> rusqlite::Result<()> {
    db.go_back_to_begin();
    if db.is_autocommit() { Ok(()) } else { execute(db, "ROLLBACK") }
}

/// Executes each operation so that a failure undoes only that operation.
fn run_apart(db: &Writing<'_>, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    for job in group {
        execute(db, "SAVEPOINT operation")?;
        let before = db.savepoint();
        if !job.run(db) {
            db.go_back(before);
            execute(db, "ROLLBACK TO operation")?;
        }
        execute(db, "RELEASE operation")?;
    }
    Ok(())
}

fn execute(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}
