//! Loading a plugin: from memory, from disk, or by compiling its component.

use std::sync::Arc;

use bytes::Bytes;
use hookmill_model::{Digest, SpaceId};
use jiff::Timestamp;
use wasmtime::component::Component;

use super::bindings::v1;
use super::call::CallContext;
use super::turns::TurnOwner;
use super::{CompilerTurn, Engine, InspectError, Inspected, Prepared, Refusal, describe, scan, wasi};

impl Engine {
    /// Inspects a component for the host itself; see [`inspect_for`](Self::inspect_for).
    ///
    /// # Errors
    /// As there.
    pub async fn inspect(&self, component: Bytes) -> Result<Inspected, InspectError> {
        self.inspect_for(None, component).await
    }

    /// Inspects a component in the turn of a space: checks its structure, compiles it, and calls its `describe`. Nothing is
    /// kept of a component that is refused here; one that is refused later is to be [discarded](Self::discard).
    ///
    /// # Errors
    /// [`InspectError::Refused`] if this host does not accept it as a plugin, [`InspectError::Busy`] if too many components
    /// of the space wait.
    pub async fn inspect_for(&self, space: Option<&SpaceId>, component: Bytes) -> Result<Inspected, InspectError> {
        let queue = &self.0.compiler.queue;
        let _place = queue.inspection(space).ok_or(InspectError::Busy)?;
        let (component, digest) = self.scan(component).await?;
        if let Some(prepared) = self.load_cached(digest).await {
            return self.describe(&prepared).await;
        }
        let turn = queue.turn(space).await;
        // It may have been compiled meanwhile.
        if let Some(prepared) = self.load_cached(digest).await {
            return self.describe(&prepared).await;
        }
        let artefact = self.0.compiler.compile(&component, &turn).await?;
        let (prepared, artefact) = self.link(digest, artefact).await?;
        let inspected = self.describe(&prepared).await?;
        self.keep(digest, artefact).await;
        // Another task may have loaded the same component meanwhile; the two are equivalent.
        let _ = self.0.plugins.slot(digest).plugin.set(Arc::new(prepared));
        Ok(inspected)
    }

    /// Returns the plugin if it is in memory.
    pub fn prepared(&self, digest: &Digest) -> Option<Arc<Prepared>> {
        self.0.plugins.get(digest)
    }

    /// Drops a plugin from memory that may not be used for long; it stays on disk.
    pub fn unload(&self, digest: &Digest) {
        self.0.plugins.remove(digest);
    }

    /// Returns the plugin from memory or from disk; none if it must be compiled, for which its component is needed.
    pub async fn load_cached(&self, digest: Digest) -> Option<Arc<Prepared>> {
        let slot = self.0.plugins.slot(digest);
        slot.plugin
            .get_or_try_init(|| async { self.read_disk(digest).await.map(Arc::new).ok_or(()) })
            .await
            .ok()
            .cloned()
    }

    /// Waits for a compiler, for a space or for the host itself.
    pub async fn compiler_turn(&self, space: Option<&SpaceId>) -> CompilerTurn {
        self.0.compiler.queue.turn(space).await
    }

    /// Returns the plugin from memory, from disk, or by compiling it for the host itself.
    ///
    /// # Errors
    /// As [`load_in`](Self::load_in).
    pub async fn load(&self, digest: Digest, component: Bytes) -> Result<Arc<Prepared>, InspectError> {
        let turn = self.compiler_turn(None).await;
        self.load_in(&turn, digest, component).await
    }

    /// Returns the plugin from memory, from disk, or by compiling it. Calls for the same plugin wait for one another; all
    /// of them have a turn, so that none waits for another space's.
    ///
    /// # Errors
    /// [`InspectError::Refused`] if the component exceeds the limits, which may have changed since it was inspected.
    pub async fn load_in(
        &self,
        turn: &CompilerTurn,
        digest: Digest,
        component: Bytes,
    ) -> Result<Arc<Prepared>, InspectError> {
        let slot = self.0.plugins.slot(digest);
        let prepared = slot.plugin.get_or_try_init(|| async {
            if let Some(prepared) = self.read_disk(digest).await {
                return Ok::<_, InspectError>(Arc::new(prepared));
            }
            let (component, found) = self.scan(component).await?;
            if found != digest {
                return Err(Refusal(format!("its digest is {found}, not {digest}")).into());
            }
            let artefact = self.0.compiler.compile(&component, turn).await?;
            let (prepared, artefact) = self.link(digest, artefact).await?;
            self.keep(digest, artefact).await;
            Ok(Arc::new(prepared))
        });
        prepared.await.cloned()
    }

    /// Drops a plugin from memory and from disk: its component was refused after it was compiled.
    pub async fn discard(&self, digest: Digest) {
        self.unload(&digest);
        let engine = self.clone();
        blocking(move || engine.0.disk.remove(&digest)).await;
    }

    /// Removes files that an interrupted write left. If `keep` is given, removes the files of all other components, too.
    pub async fn clean(&self, keep: Option<Vec<Digest>>) {
        let engine = self.clone();
        blocking(move || engine.0.disk.clean(keep.as_deref())).await;
    }

    async fn describe(&self, plugin: &Prepared) -> Result<Inspected, InspectError> {
        let call = CallContext {
            bytes: 0,
            now: Timestamp::UNIX_EPOCH,
            seed: "describe".to_owned(),
            secrets: Vec::new(),
            whose: TurnOwner::default(),
        };
        let called = self.call(plugin, call, async |store, instance| match plugin.exports.check(store, instance) {
            Ok(()) => plugin.exports.describe(store, instance).await.map(Ok),
            Err(error) => Ok(Err(Refusal(format!("its transformer's types differ from the contract: {error:#}")))),
        });
        let (result, ended) = called.await?;
        match result {
            Ok(description) => Ok(describe::check(plugin.digest, description?)?),
            Err(fault) => {
                let last = ended.logs.last().map(|line| format!("; its last log line: {}", line.message));
                let reason = format!("when asked to describe itself, it {}{}", fault.message, last.unwrap_or_default());
                Err(Refusal(reason).into())
            }
        }
    }

    async fn scan(&self, component: Bytes) -> Result<(Bytes, Digest), Refusal> {
        let engine = self.clone();
        blocking(move || {
            scan::outline(&component, &engine.0.limits)?;
            let digest = Digest::of(&component);
            Ok((component, digest))
        })
        .await
    }

    async fn read_disk(&self, digest: Digest) -> Option<Prepared> {
        let engine = self.clone();
        blocking(move || {
            let artefact = engine.0.disk.read(&digest)?;
            // Compiled for another processor, for example; compiling it again gives a better error.
            engine.prepare(digest, &artefact).ok()
        })
        .await
    }

    async fn link(&self, digest: Digest, artefact: Vec<u8>) -> Result<(Prepared, Vec<u8>), Refusal> {
        let engine = self.clone();
        blocking(move || Ok((engine.prepare(digest, &artefact)?, artefact))).await
    }

    /// Maps an artefact and links it.
    fn prepare(&self, digest: Digest, artefact: &[u8]) -> Result<Prepared, Refusal> {
        let refused = |error: wasmtime::Error| Refusal(format!("it cannot be loaded by this host: {error:#}"));
        // SAFETY: wasmtime requires an unchanged artefact of its own. The bytes come from the compiling child, whose
        // pipe no other process has, or from the disk with this host's HMAC over them.
        #[expect(unsafe_code, reason = "the one exception, see SAFETY")]
        let component = unsafe { Component::deserialize(&self.0.wasmtime, artefact) }.map_err(refused)?;
        let mut linker = self.0.linker.clone();
        wasi::link(&mut linker, &component).map_err(refused)?;
        let instance = linker.instantiate_pre(&component).map_err(refused)?;
        let exports = v1::Exports::find(&component)
            .ok_or_else(|| Refusal("its transformer lacks `describe` or `transform`".to_owned()))?;
        // None for a component that instantiates what it imports, which no plugin can.
        let composed = component.resources_required().is_none_or(|required| required.num_memories > 1);
        Ok(Prepared { digest, instance, exports, composed, bytes: artefact.len() })
    }

    /// Writes an artefact to disk. A failure costs only the next start some time.
    async fn keep(&self, digest: Digest, artefact: Vec<u8>) {
        let engine = self.clone();
        if let Err(error) = blocking(move || engine.0.disk.write(&digest, &artefact)).await {
            tracing::warn!(plugin.digest = %digest, error = &error as &dyn std::error::Error, "writing a compiled plugin failed");
        }
    }
}

/// Runs long work on a thread for blocking work.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
