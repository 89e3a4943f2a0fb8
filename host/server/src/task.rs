//! Work that must not be interrupted, work that must not hold up other work, and turns at work that takes long.

use std::sync::{Arc, LazyLock};

use hookmill_model::SpaceId;
use hookmill_turns::Shares;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Runs `work` to completion in its own task, whether or not the caller waits for it: a caller that disconnects between a
/// commit and the update in memory must not prevent the latter.
pub async fn unbroken<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(work).await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}

/// How much lower the priority of threads for long work is (`man 7 sched`, nice value): beside a thread that serves
/// everybody, such a thread gets a tenth of a core's time, and that one does not wait until it pauses.
const NICENESS: i32 = 10;

/// Threads for work that takes long, at a lower priority; at most so many as work has turns.
static LONG_WORK: LazyLock<Runtime> = LazyLock::new(|| {
    let mut threads = Builder::new_current_thread();
    threads
        .thread_name("long-work")
        .max_blocking_threads(16)
        .on_thread_start(|| hookmill_turns::lower_priority(NICENESS));
    threads.build().expect("it needs nothing of the system before its first thread")
});

/// Runs work that takes long on a thread of its own, with a lower priority than those that serve everybody.
pub async fn long<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    LONG_WORK.spawn_blocking(work).await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}

/// The most bytes that are parsed or hashed on a thread that serves everybody: less than half a millisecond.
pub const QUICK_BYTES: usize = 64 << 10;

/// The turns of [`long_in_turn`].
static TURNS: LazyLock<SpaceTurns> = LazyLock::new(|| SpaceTurns::new(2));

/// Runs long work of a space, in turn with other spaces.
pub async fn long_in_turn<T: Send + 'static>(space: &SpaceId, work: impl FnOnce() -> T + Send + 'static) -> T {
    let turn = TURNS.take(space).await;
    long(move || {
        // Ends with the work, though the caller may have gone.
        let _turn = turn;
        work()
    })
    .await
}

/// Turns at work that takes long, fair between spaces: each has one at a time, and spaces take them in the order in which they
/// ask. So a space waits for at most one turn of each other space, however much these have to do.
#[derive(Debug)]
pub struct SpaceTurns {
    all: Arc<Semaphore>,
    /// One place for each space.
    places: Shares,
}

impl SpaceTurns {
    /// Creates turns, of which `at_once` may be taken at once.
    pub fn new(at_once: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(at_once)), places: Shares::new(1) }
    }

    /// Takes a turn for a space; waits until it is the space's.
    pub async fn take(&self, space: &SpaceId) -> SpaceTurn {
        let place = self.place(space).await;
        SpaceTurn { _shared: place.turn().await, _place: place }
    }

    /// Takes a space's place, for work of several turns; waits until the space's other work has ended.
    pub async fn place(&self, space: &SpaceId) -> SpacePlace {
        SpacePlace { all: self.all.clone(), _own: self.places.take(space, 1).await }
    }
}

/// A turn; ends when it is dropped.
#[derive(Debug)]
pub struct SpaceTurn {
    // Dropped in this order.
    _shared: OwnedSemaphorePermit,
    _place: SpacePlace,
}

/// A space's place among those that take turns.
#[derive(Debug)]
pub struct SpacePlace {
    all: Arc<Semaphore>,
    _own: OwnedSemaphorePermit,
}

impl SpacePlace {
    /// Takes the next turn, which ends when it is dropped; waits until it is the space's.
    pub async fn turn(&self) -> OwnedSemaphorePermit {
        self.all.clone().acquire_owned().await.expect("the semaphore is never closed")
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn long_work_has_a_lower_priority_than_what_serves_everybody() {
        let priority = || rustix::process::getpriority_process(None).expect("each thread has one");
        let here = priority();
        assert_eq!(long(priority).await, here + NICENESS);
        assert_eq!(priority(), here);
    }
}
