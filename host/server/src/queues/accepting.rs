//! Events that are being accepted: a replay waits until those of its space are committed, and so misses none.
//!
//! An event's time is read before it is committed, so that an event of an earlier time may appear after a later one.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use hookmill_model::SpaceId;
use hookmill_turns::InUse;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The events of all spaces that are being accepted.
#[derive(Debug, Default)]
pub struct Accepting {
    spaces: Mutex<InUse<SpaceId, Generations>>,
}

/// The requests of a space that began before a replay looked, and those that began after it.
#[derive(Debug, Default)]
struct Generations {
    /// The generation that requests join now.
    open: Weak<DropGuard>,
    /// One for each generation, cancelled when its last request has ended.
    ended: Vec<CancellationToken>,
}

impl Generations {
    /// Whether a request of them has not ended.
    fn is_used(&self) -> bool {
        !self.ended.iter().all(CancellationToken::is_cancelled)
    }
}

impl Accepting {
    /// Begins to accept events of a space: called before the clock is read for them. It ends when the result is dropped.
    pub fn begin(&self, space: &SpaceId) -> Arc<DropGuard> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        let generations = spaces.entry(space, Generations::default, Generations::is_used);
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

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_space_is_forgotten_once_its_requests_have_ended() {
        let accepting = Accepting::default();
        let space = |number: usize| SpaceId::parse(&format!("space-{number}")).expect("an id");
        let held = accepting.begin(&space(0));
        for number in 1..10_000 {
            drop(accepting.begin(&space(number)));
        }
        assert!(accepting.spaces.lock().expect("nothing panicked").len() < 100);
        assert!(accepting.settled(&space(0)).now_or_never().is_none(), "a request has not ended");
        drop(held);
        assert!(accepting.settled(&space(0)).now_or_never().is_some());
    }
}
