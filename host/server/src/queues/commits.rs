//! Turns to commit: how much of one space the store commits together, which others' commits wait for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookmill_model::SpaceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::AcceptConfig;

/// The turns of all spaces. Within a space, who came first is first.
#[derive(Debug)]
pub struct Commits {
    deliveries_max: u32,
    /// Of each space that has posted since the start.
    spaces: Mutex<HashMap<SpaceId, Arc<Semaphore>>>,
}

impl Commits {
    /// Creates the turns with the configured limit.
    pub fn new(config: &AcceptConfig) -> Self {
        let deliveries_max = u32::try_from(config.commit_deliveries_max).unwrap_or(u32::MAX);
        Self { deliveries_max, spaces: Mutex::default() }
    }

    /// Waits until so many rows of this space may be committed; their turn lasts until the permit is dropped.
    pub async fn turn(&self, space: &SpaceId, rows: usize) -> OwnedSemaphorePermit {
        let own = {
            let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
            match spaces.get(space) {
                Some(own) => Arc::clone(own),
                None => {
                    let own = Arc::new(Semaphore::new(self.deliveries_max as usize));
                    spaces.insert(space.clone(), Arc::clone(&own));
                    own
                }
            }
        };
        // An event has all its deliveries in one commit: one with more than the limit waits for all of it.
        let rows = u32::try_from(rows).unwrap_or(u32::MAX).min(self.deliveries_max);
        own.acquire_many_owned(rows).await.expect("the semaphore is never closed")
    }
}
