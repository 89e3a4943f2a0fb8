//! Events that are being accepted: a replay waits until those of its space are committed, and so misses none.
//!
//! An event's time is read before it is committed, so that an event of an earlier time may appear after a later one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hookmill_model::SpaceId;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The events of all spaces that are being accepted.
#[derive(Debug, Default)]
pub struct Accepting {
    /// By space: one entry for each that has posted since the start.
    spaces: Mutex<HashMap<SpaceId, Generations>>,
}

/// The requests of a space that began before a replay looked, and those that began after it.
#[derive(Debug, Default)]
struct Generations {
    /// The generation that requests join now.
    open: Weak<DropGuard>,
    /// One for each generation, cancelled when its last request has ended.
    ended: Vec<CancellationToken>,
}

impl Accepting {
    /// Begins to accept events of a space: called before the clock is read for them. It ends when the result is dropped.
    pub fn begin(&self, space: &SpaceId) -> Arc<DropGuard> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        let generations = match spaces.get_mut(space) {
            Some(generations) => generations,
            None => spaces.entry(space.clone()).or_default(),
        };
        if let Some(open) = generations.open.upgrade() {
            return open;
        }
        let token = CancellationToken::new();
        let open = Arc::new(token.clone().drop_guard());
        generations.open = Arc::downgrade(&open);
        generations.ended.retain(|token| !token.is_cancelled());
        generations.ended.push(token);
        open
    }

    /// Waits until all that began for this space until now has ended.
    pub async fn settled(&self, space: &SpaceId) {
        let ended = {
            let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(generations) = spaces.get_mut(space) else { return };
            generations.open = Weak::new();
            generations.ended.clone()
        };
        for token in ended {
            token.cancelled().await;
        }
    }
}
