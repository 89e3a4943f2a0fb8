//! Prepared plugins in memory, by digest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::OnceCell;
use wasmtime::component::InstancePre;

use super::bindings::v1;
use super::state::State;
use hookmill_model::Digest;

/// A component that is compiled, linked and ready to be instantiated.
#[derive(Clone)]
pub struct Prepared {
    pub(super) digest: Digest,
    pub(super) instance: InstancePre<State>,
    pub(super) exports: v1::Exports,
    /// Whether it consists of several components, each with its own memory.
    pub(super) composed: bool,
}

impl Prepared {
    /// The digest of its component.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({})", self.digest)
    }
}

/// A plugin's place: the first caller that finds it empty fills it, and the others wait.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) plugin: OnceCell<Arc<Prepared>>,
    used: AtomicU64,
}

/// All places.
#[derive(Debug)]
pub(super) struct Plugins {
    places: RwLock<HashMap<Digest, Arc<Place>>>,
    clock: AtomicU64,
    loaded_max: usize,
}

impl Plugins {
    pub(super) fn new(loaded_max: usize) -> Self {
        Self { places: RwLock::default(), clock: AtomicU64::new(0), loaded_max }
    }

    /// The plugin, if it is in memory.
    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Prepared>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let place = places.get(digest)?;
        place.used.store(self.tick(), Ordering::Relaxed);
        place.plugin.get().cloned()
    }

    /// The plugin's place, empty or not.
    pub(super) fn place(&self, digest: Digest) -> Arc<Place> {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        if !places.contains_key(&digest) && places.len() >= self.loaded_max {
            let oldest = places.iter().min_by_key(|(_, place)| place.used.load(Ordering::Relaxed));
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                places.remove(&oldest);
            }
        }
        let place = places.entry(digest).or_default();
        place.used.store(self.tick(), Ordering::Relaxed);
        Arc::clone(place)
    }

    /// Removes a plugin.
    pub(super) fn remove(&self, digest: &Digest) {
        self.places.write().unwrap_or_else(PoisonError::into_inner).remove(digest);
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}
