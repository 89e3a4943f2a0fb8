//! The turns of what callers try out, so that however much is asked for, most of the engine is left to deliveries.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use hookmill_model::SpaceId;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Transforms that callers wait for, at once: few enough beside `plugin.transforms_max`, which deliveries share.
const TRIALS_MAX: u32 = 4;

/// The turns of previews and comparisons.
pub struct Trials(Semaphore);

impl Trials {
    /// A quarter of the engine at most, but one turn if that is nothing.
    pub fn new(transforms_max: u32) -> Self {
        Self(Semaphore::new((transforms_max / 4).clamp(1, TRIALS_MAX) as usize))
    }

    /// Waits for a turn, which lasts until what is returned is dropped.
    pub async fn turn(&self) -> SemaphorePermit<'_> {
        self.0.acquire().await.expect("nobody closes it")
    }
}

/// The spaces in which something is being compared: one comparison at a time in each.
#[derive(Debug, Default)]
pub struct Comparing(Mutex<HashSet<SpaceId>>);

impl Comparing {
    /// Begins one, which lasts until what is returned is dropped; none if there is one in this space.
    pub fn begin(&self, space: &SpaceId) -> Option<Begun<'_>> {
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(space.clone());
        new.then(|| Begun { all: self, space: space.clone() })
    }
}

/// A comparison that is going on.
#[derive(Debug)]
pub struct Begun<'a> {
    all: &'a Comparing,
    space: SpaceId,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.space);
    }
}
