//! The turns of what callers try out, so that however much is asked for, most of the engine is left to deliveries.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use hookmill_model::SpaceId;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Transforms that callers wait for, at once: few enough beside `plugin.transforms_max`, which deliveries share.
const SLOTS_MAX: u32 = 4;

/// The turns of previews and comparisons.
pub struct PreviewSlots(Semaphore);

impl PreviewSlots {
    /// A quarter of the engine at most, but one turn if that is nothing.
    pub fn new(transforms_max: u32) -> Self {
        Self(Semaphore::new((transforms_max / 4).clamp(1, SLOTS_MAX) as usize))
    }

    /// Waits for a turn, which lasts until what is returned is dropped.
    pub async fn acquire(&self) -> SemaphorePermit<'_> {
        self.0.acquire().await.expect("nobody closes it")
    }
}

/// The spaces in which something is being compared: one comparison at a time in each.
#[derive(Debug, Default)]
pub struct ActiveComparisons(Mutex<HashSet<SpaceId>>);

impl ActiveComparisons {
    /// Begins one, which lasts until what is returned is dropped; none if there is one in this space.
    pub fn begin(&self, space: &SpaceId) -> Option<ComparisonGuard<'_>> {
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(space.clone());
        new.then(|| ComparisonGuard { all: self, space: space.clone() })
    }
}

/// A comparison that is going on.
#[derive(Debug)]
pub struct ComparisonGuard<'a> {
    all: &'a ActiveComparisons,
    space: SpaceId,
}

impl Drop for ComparisonGuard<'_> {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.space);
    }
}
