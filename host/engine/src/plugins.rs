//! The memory cache of prepared plugins, by digest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hookmill_model::Digest;
use tokio::sync::OnceCell;
use wasmtime::component::InstancePre;

use super::bindings::v1;
use super::state::State;

/// A component that is compiled, linked and ready to be instantiated.
#[derive(Clone)]
pub struct Prepared {
    pub(super) digest: Digest,
    pub(super) instance: InstancePre<State>,
    pub(super) exports: v1::Exports,
    /// Whether it is composed of several components, each with its own memory.
    pub(super) composed: bool,
    /// The size of its compiled code, in bytes.
    pub(super) bytes: usize,
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

/// A plugin's slot: the first caller that finds it empty fills it, the others wait.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) plugin: OnceCell<Arc<Prepared>>,
    used: AtomicU64,
}

/// The cache.
#[derive(Debug)]
pub(super) struct PluginCache {
    slots: RwLock<HashMap<Digest, Arc<Slot>>>,
    clock: AtomicU64,
    loaded_max: usize,
    loaded_bytes_max: usize,
}

impl PluginCache {
    pub(super) fn new(loaded_max: usize, loaded_bytes_max: usize) -> Self {
        Self { slots: RwLock::default(), clock: AtomicU64::new(0), loaded_max, loaded_bytes_max }
    }

    /// Returns the plugin if it is in memory.
    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Prepared>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.get(digest)?;
        slot.used.store(self.tick(), Ordering::Relaxed);
        slot.plugin.get().cloned()
    }

    /// Returns the plugin's slot, which may be empty.
    pub(super) fn slot(&self, digest: Digest) -> Arc<Slot> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if !slots.contains_key(&digest) {
            self.make_room(&mut slots);
        }
        let slot = slots.entry(digest).or_default();
        slot.used.store(self.tick(), Ordering::Relaxed);
        Arc::clone(slot)
    }

    /// Drops the least recently used plugins until one more fits. What is being loaded has no size yet.
    fn make_room(&self, slots: &mut HashMap<Digest, Arc<Slot>>) {
        let bytes = |slot: &Slot| slot.plugin.get().map_or(0, |plugin| plugin.bytes);
        let mut loaded_bytes: usize = slots.values().map(|slot| bytes(slot)).sum();
        while slots.len() >= self.loaded_max || loaded_bytes > self.loaded_bytes_max {
            let oldest = slots.iter().min_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed));
            let Some((oldest, freed)) = oldest.map(|(digest, slot)| (*digest, bytes(slot))) else { return };
            slots.remove(&oldest);
            loaded_bytes -= freed;
        }
    }

    /// Drops a plugin.
    pub(super) fn remove(&self, digest: &Digest) {
        self.slots.write().unwrap_or_else(PoisonError::into_inner).remove(digest);
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}
