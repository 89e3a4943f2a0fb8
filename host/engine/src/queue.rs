//! The queue of compilations: a few compilers, which no space may hold all of, nor wait for with all of its uploads.

use std::sync::Arc;

use hookmill_model::SpaceId;
use hookmill_turns::Shares;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Components of one space that wait to be inspected: each is in memory, up to `plugin.component_bytes_max`.
const INSPECTIONS_PER_SPACE_MAX: usize = 16;

/// The queue. A space is in it with at most half of the compilers' number at once: whoever comes waits for that many of
/// each other space, and not for all that these have to compile. The host itself counts as a space.
#[derive(Debug)]
pub(super) struct CompilerQueue {
    compilers: Arc<Semaphore>,
    turns: Shares<Option<SpaceId>>,
    inspections: Shares<Option<SpaceId>>,
}

/// A compiler that its holder may run.
#[derive(Debug)]
pub struct CompilerTurn {
    _of_space: OwnedSemaphorePermit,
    _compiler: OwnedSemaphorePermit,
}

impl CompilerQueue {
    pub(super) fn new(compilers_max: usize) -> Self {
        Self {
            compilers: Arc::new(Semaphore::new(compilers_max)),
            turns: Shares::new((compilers_max / 2).max(1)),
            inspections: Shares::new(INSPECTIONS_PER_SPACE_MAX),
        }
    }

    /// Waits for a compiler.
    pub(super) async fn turn(&self, space: Option<&SpaceId>) -> CompilerTurn {
        // In this order: what waits for its space holds nothing that others wait for.
        let _of_space = self.turns.take(&space.cloned(), 1).await;
        let compiler = Arc::clone(&self.compilers).acquire_owned().await;
        CompilerTurn { _of_space, _compiler: compiler.expect("the semaphore is never closed") }
    }

    /// Takes a place for a component that is to be inspected; none if the space has taken all of its own.
    pub(super) fn inspection(&self, space: Option<&SpaceId>) -> Option<OwnedSemaphorePermit> {
        self.inspections.try_take(&space.cloned())
    }
}
