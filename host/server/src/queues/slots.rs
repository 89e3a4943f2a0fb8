//! Limits on previews and comparisons, so that most of the engine is left to deliveries.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use hookmill_model::SpaceId;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The most concurrent transforms of previews and comparisons: few compared with `plugin.transforms_max`, which deliveries
/// share.
const SLOTS_MAX: u32 = 4;

/// The slots in which previews and comparisons run.
pub struct PreviewSlots(Semaphore);

impl PreviewSlots {
    /// Creates slots for at most a quarter of the engine, but at least one.
    pub fn new(transforms_max: u32) -> Self {
        Self(Semaphore::new((transforms_max / 4).clamp(1, SLOTS_MAX) as usize))
    }

    /// Waits for a slot, which is held until the permit is dropped.
    pub async fn acquire(&self) -> SemaphorePermit<'_> {
        self.0.acquire().await.expect("the semaphore is never closed")
    }
}

/// The spaces with a running comparison: at most one in each.
#[derive(Debug, Default)]
pub struct ActiveComparisons(Mutex<HashSet<SpaceId>>);

impl ActiveComparisons {
    /// Marks a comparison as running until the guard is dropped; none if one is running in this space.
    pub fn begin(&self, space: &SpaceId) -> Option<ComparisonGuard<'_>> {
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(space.clone());
        new.then(|| ComparisonGuard { all: self, space: space.clone() })
    }
}

/// A running comparison.
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
