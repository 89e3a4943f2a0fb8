//! Fairness between spaces: places that each space has a share of, and threads that yield to others.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use hookmill_model::SpaceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Entries up to which a map is not searched for unused ones: some kilobytes.
const FEW: usize = 64;

/// Something for each space, as long as it is in use. Unused entries go when many others have come, so that the map has at most
/// twice as many entries as were in use at once, and looking one up costs no more than in any map.
#[derive(Debug)]
pub struct InUse<K, V> {
    entries: HashMap<K, V>,
    /// At how many entries the unused ones go.
    full: usize,
}

impl<K, V> Default for InUse<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), full: FEW }
    }
}

impl<K: Clone + Eq + Hash, V> InUse<K, V> {
    /// Returns an entry, which is created if there is none.
    pub fn entry(&mut self, key: &K, new: impl FnOnce() -> V, is_used: impl Fn(&V) -> bool) -> &mut V {
        if self.entries.len() >= self.full && !self.entries.contains_key(key) {
            self.entries.retain(|_, value| is_used(value));
            self.full = FEW.max(2 * self.entries.len());
        }
        // The key is cloned for a new entry only.
        if self.entries.contains_key(key) {
            return self.entries.get_mut(key).expect("it was there a line ago");
        }
        self.entries.entry(key.clone()).or_insert_with(new)
    }

    /// Returns an entry; none if there is none.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Places of which each space, or each of what else a key stands for, has so many. Within a space, who came first is first.
#[derive(Debug)]
pub struct Shares<K = SpaceId> {
    places: usize,
    of: Mutex<InUse<K, Arc<Semaphore>>>,
}

impl<K: Clone + Eq + Hash> Shares<K> {
    /// Creates so many places for each.
    pub fn new(places: usize) -> Self {
        Self { places, of: Mutex::default() }
    }

    /// Takes places of a space until the permit is dropped, all of them if there are fewer; waits until they are free.
    pub async fn take(&self, space: &K, places: usize) -> OwnedSemaphorePermit {
        let places = u32::try_from(places.min(self.places)).unwrap_or(u32::MAX);
        self.own(space).acquire_many_owned(places).await.expect("the semaphore is never closed")
    }

    /// Takes a place of a space, if one is free.
    pub fn try_take(&self, space: &K) -> Option<OwnedSemaphorePermit> {
        self.own(space).try_acquire_owned().ok()
    }

    /// Returns the number of spaces with an entry: few more than have places or wait for some.
    pub fn spaces(&self) -> usize {
        self.of.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn own(&self, space: &K) -> Arc<Semaphore> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        // A permit and who waits for one hold the semaphore, too.
        Arc::clone(of.entry(space, || Arc::new(Semaphore::new(self.places)), |own| Arc::strong_count(own) > 1))
    }
}

/// Lowers the priority of this thread by this much (`man 7 sched`, nice value), where a thread has one of its own.
pub fn lower_priority(niceness: i32) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(niceness) {
        tracing::warn!(error = &error as &dyn std::error::Error, "the priority of a thread could not be lowered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_space_that_uses_no_place_is_forgotten_and_one_that_does_is_not() {
        let shares = Shares::<u32>::new(2);
        let held = shares.take(&0, 9).await;
        for space in 1..10_000 {
            drop(shares.take(&space, 1).await);
            assert!(shares.spaces() <= FEW + 1);
        }
        assert!(shares.try_take(&0).is_none(), "it still has all of its places");
        drop(held);
        assert!(shares.try_take(&0).is_some());
    }

    #[tokio::test]
    async fn many_spaces_that_use_places_at_once_all_keep_them() {
        let shares = Shares::<u32>::new(1);
        let mut held = Vec::new();
        for space in 0..1_000 {
            held.push(shares.take(&space, 1).await);
        }
        assert!((0..1_000).all(|space| shares.try_take(&space).is_none()));
        held.clear();
        for space in 1_000..5_000 {
            drop(shares.take(&space, 1).await);
        }
        assert!(shares.spaces() <= 2 * FEW);
    }
}
