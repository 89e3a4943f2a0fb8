//! The queue of compilations: a few compilers, which no space may hold all of, nor wait for with all of its uploads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookmill_model::SpaceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Components of one space that wait to be inspected: each is in memory, up to `plugin.component_bytes_max`.
const INSPECTIONS_PER_SPACE_MAX: usize = 16;

/// The queue. A space is in it with at most half of the compilers' number at once: whoever comes waits for that many of
/// each other space, and not for all that these have to compile.
#[derive(Debug)]
pub(super) struct CompilerQueue {
    compilers: Arc<Semaphore>,
    share: usize,
    /// An entry for each space that ever compiled, and one for the host itself.
    spaces: Mutex<HashMap<Option<SpaceId>, Arc<SpaceQueue>>>,
}

#[derive(Debug)]
struct SpaceQueue {
    turns: Arc<Semaphore>,
    inspections: Arc<Semaphore>,
}

/// A compiler that its holder may run.
#[derive(Debug)]
pub struct CompilerTurn {
    _of_space: OwnedSemaphorePermit,
    _compiler: OwnedSemaphorePermit,
}

impl CompilerQueue {
    pub(super) fn new(compilers_max: usize) -> Self {
        let share = (compilers_max / 2).max(1);
        Self { compilers: Arc::new(Semaphore::new(compilers_max)), share, spaces: Mutex::default() }
    }

    /// Waits for a compiler.
    pub(super) async fn turn(&self, space: Option<&SpaceId>) -> CompilerTurn {
        let turns = Arc::clone(&self.space(space).turns);
        let closed = "the semaphore is never closed";
        // In this order: what waits for its space holds nothing that others wait for.
        let _of_space = turns.acquire_owned().await.expect(closed);
        let _compiler = Arc::clone(&self.compilers).acquire_owned().await.expect(closed);
        CompilerTurn { _of_space, _compiler }
    }

    /// Takes a place for a component that is to be inspected; none if the space has taken all of its own.
    pub(super) fn inspection(&self, space: Option<&SpaceId>) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.space(space).inspections).try_acquire_owned().ok()
    }

    fn space(&self, space: Option<&SpaceId>) -> Arc<SpaceQueue> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = spaces.entry(space.cloned()).or_insert_with(|| {
            let turns = Arc::new(Semaphore::new(self.share));
            Arc::new(SpaceQueue { turns, inspections: Arc::new(Semaphore::new(INSPECTIONS_PER_SPACE_MAX)) })
        });
        Arc::clone(queue)
    }
}
