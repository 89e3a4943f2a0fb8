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
    /// Of each space that has posted since the start.
    spaces: Mutex<HashMap<SpaceId, Generations>>,
}

/// Those who began before a replay looked, and those who began after it.
#[derive(Debug, Default)]
struct Generations {
    /// The generation that is joined now.
    open: Weak<DropGuard>,
    /// Of each generation; cancelled when the last of it has ended.
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

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn what_began_before_is_waited_for_and_what_begins_after_is_not() {
        let (accepting, space) = (Accepting::default(), SpaceId::parse("acme").expect("a space"));
        assert!(accepting.settled(&space).now_or_never().is_some());
        let (first, second) = (accepting.begin(&space), accepting.begin(&space));
        let mut settled = Box::pin(accepting.settled(&space));
        assert!(settled.as_mut().now_or_never().is_none());
        let later = accepting.begin(&space);
        // Another replay waits for all three.
        let mut again = Box::pin(accepting.settled(&space));
        assert!(again.as_mut().now_or_never().is_none());
        drop(first);
        assert!(settled.as_mut().now_or_never().is_none());
        drop(second);
        assert!(settled.now_or_never().is_some());
        assert!(again.as_mut().now_or_never().is_none());
        drop(later);
        assert!(again.now_or_never().is_some());
        assert!(accepting.settled(&space).now_or_never().is_some());
    }
}
