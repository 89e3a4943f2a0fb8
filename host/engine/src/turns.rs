//! Turns: a few places that many want, given out in turn between spaces and then between a space's subscriptions.
//!
//! A space with a hundred transforms waiting delays another's next one by one turn, not by a hundred.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookmill_model::{SpaceId, Subscription, SubscriptionId};
use tokio::sync::oneshot;

/// The space and subscription that a turn is for; neither for a plugin that describes itself.
#[derive(Clone, Debug, Default)]
pub(super) struct TurnOwner {
    space: Option<SpaceId>,
    subscription: Option<SubscriptionId>,
}

impl TurnOwner {
    pub(super) fn of(subscription: &Subscription) -> Self {
        Self { space: Some(subscription.space.clone()), subscription: Some(subscription.id) }
    }
}

/// The places. Clones share them.
#[derive(Clone)]
pub(super) struct Turns(Arc<Mutex<State>>);

/// A place, until it is dropped.
pub(super) struct Turn {
    /// None once the place is given back.
    turns: Option<Turns>,
    space: Option<SpaceId>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.release(self.space.as_ref());
        }
    }
}

struct State {
    free: usize,
    /// Whether a space gets a place only while it holds fewer than are free, so that the next space finds one.
    keeps_some: bool,
    /// The spaces that hold or want a place.
    spaces: HashMap<Option<SpaceId>, SpaceTurns>,
    /// The spaces that want one, each once.
    ring: VecDeque<Option<SpaceId>>,
}

#[derive(Default)]
struct SpaceTurns {
    held: usize,
    waiting: HashMap<Option<SubscriptionId>, VecDeque<oneshot::Sender<Turn>>>,
    /// The subscriptions that wait, each once.
    ring: VecDeque<Option<SubscriptionId>>,
}

impl SpaceTurns {
    /// Takes out the next that waits: a subscription's first, and the subscription behind the others.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let subscription = self.ring.pop_front()?;
        let queue = self.waiting.get_mut(&subscription)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&subscription);
        } else {
            self.ring.push_back(subscription);
        }
        next
    }
}

impl Turns {
    pub(super) fn new(places: usize, keeps_some: bool) -> Self {
        let state = State { free: places, keeps_some, spaces: HashMap::new(), ring: VecDeque::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Waits for a place. One that `continues` comes before others of its subscription, so that what began first ends
    /// first.
    pub(super) async fn acquire(&self, whose: &TurnOwner, continues: bool) -> Turn {
        let waiting = {
            let mut state = self.lock();
            let may_take = state.may_take(&whose.space);
            let space = state.spaces.entry(whose.space.clone()).or_default();
            if may_take && space.ring.is_empty() {
                space.held += 1;
                state.free -= 1;
                return self.turn(&whose.space);
            }
            let (place, waiting) = oneshot::channel();
            let is_new = space.ring.is_empty();
            let queue = space.waiting.entry(whose.subscription).or_default();
            if queue.is_empty() {
                space.ring.push_back(whose.subscription);
            }
            if continues {
                queue.push_front(place);
            } else {
                queue.push_back(place);
            }
            if is_new {
                state.ring.push_back(whose.space.clone());
            }
            waiting
        };
        waiting.await.expect("the state keeps a sender until it gives it a place")
    }

    fn turn(&self, space: &Option<SpaceId>) -> Turn {
        Turn { turns: Some(self.clone()), space: space.clone() }
    }

    fn release(&self, space: Option<&SpaceId>) {
        let mut state = self.lock();
        state.free += 1;
        let space = space.cloned();
        if let Some(own) = state.spaces.get_mut(&space) {
            own.held -= 1;
            if own.held == 0 && own.ring.is_empty() {
                state.spaces.remove(&space);
            }
        }
        self.give_out(&mut state);
    }

    /// Gives free places to those whose turn it is.
    fn give_out(&self, state: &mut State) {
        let mut spaces_left = state.ring.len();
        while state.free > 0 && spaces_left > 0 {
            let Some(space) = state.ring.pop_front() else { return };
            if !state.may_take(&space) {
                state.ring.push_back(space);
                spaces_left -= 1;
                continue;
            }
            let Some(own) = state.spaces.get_mut(&space) else { continue };
            let given = own.next().is_some_and(|waiting| match waiting.send(self.turn(&space)) {
                Ok(()) => true,
                Err(mut unwanted) => {
                    // The waiting call was dropped. The place is still free: dropping it must not release it again.
                    unwanted.turns = None;
                    false
                }
            });
            own.held += usize::from(given);
            state.free -= usize::from(given);
            if !own.ring.is_empty() {
                state.ring.push_back(space);
            } else if own.held == 0 {
                state.spaces.remove(&space);
            }
            spaces_left = state.ring.len();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_take(&self, space: &Option<SpaceId>) -> bool {
        let held = self.spaces.get(space).map_or(0, |own| own.held);
        self.free > 0 && (!self.keeps_some || held < self.free)
    }
}
