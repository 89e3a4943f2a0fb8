//! The engine: runs plugins, which are WebAssembly components from untrusted authors.
//!
//! A plugin is compiled once, cached on disk and in memory by its component's digest, and gets a new instance for every
//! transform: no state is carried from one call to the next. A transform is limited in work (fuel, with the same result
//! on every machine), time, memory and output. It may import a log and placeholders of secrets, whose values never
//! enter the engine. A plugin's fault is data, a [`PluginFault`]; an [`EngineError`] is the host's own failure.
//!
//! Guests run on the caller's thread, on their own stack, and yield every 70 µs: handing a transform to another thread
//! would cost more than most transforms. One that is not over at once goes on in turns, a few milliseconds each, between
//! spaces and then between a space's subscriptions (see `turns`), and all of them together leave one processor free.
//!
//! The engine does not assume that components are benign, that compiling terminates (see `compile`), that a guest makes
//! few calls to the host (see `limits`), or that files on disk are intact (see `disk`). It does assume that wasmtime's
//! sandbox holds.
// One exception, with its reason: the engine maps machine code that this host compiled itself.
#![deny(unsafe_code)]

mod bindings;
mod call;
mod compile;
mod config;
mod contract;
mod describe;
mod disk;
mod fault;
mod limits;
mod load;
mod logs;
mod output;
mod plugins;
mod queue;
mod scan;
mod secrets;
mod settings;
mod state;
mod turns;
mod wasi;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookmill_model::{
    DeliveryId, Digest, Draft, Event, Figures, LogLine, PluginFault, PluginName, PluginVersion, Sealed, Subscription,
};
use serde::Deserialize;
use serde_json::Value;
use wasmtime::component::Linker;

use self::bindings::v1;
use self::state::State;

pub use self::compile::{REFUSED, SMALL_ARENAS, precompile};
pub use self::config::Limits;
pub use self::contract::Outline;
pub use self::plugins::Prepared;
pub use self::queue::CompilerTurn;
pub use self::scan::outline;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An internal fault: the machine, its disk, or a bug. No plugin is at fault.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime cannot be set up: usually the address space is too small for `plugin.transforms_max`.
    #[error("cannot set up the WebAssembly engine")]
    Setup(#[source] Source),
    /// The directory of compiled plugins cannot be used.
    #[error("cannot use the directory of compiled plugins {}", folder.display())]
    Folder {
        /// The directory.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The compiling process cannot be started, or its pipes fail.
    #[error("cannot run the compiler {}", binary.display())]
    Compiler {
        /// The program.
        binary: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The compiling process exited unexpectedly.
    #[error("the compiler exited with status {code:?}: {complaint}")]
    CompilerExit {
        /// Its exit status.
        code: Option<i32>,
        /// Its standard error.
        complaint: String,
    },
    /// No instance could be created, or the machine has no memory for it.
    #[error("cannot instantiate a plugin")]
    Instance(#[source] Source),
}

/// The reason why this host refuses a component as a plugin, for the user who uploads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// The reason why a component could not be inspected or loaded.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The component is at fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The space has too many components that wait to be inspected.
    #[error("too many components of the space wait to be inspected")]
    Busy,
    /// The host is at fault.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A plugin's description of itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inspected {
    /// The component's digest.
    pub digest: Digest,
    /// The plugin's name.
    pub name: PluginName,
    /// Its version.
    pub version: PluginVersion,
    /// Its purpose.
    pub summary: String,
    /// The content types that it produces.
    pub content_types: Vec<String>,
    /// The JSON Schema of its configuration.
    pub config_schema: Value,
}

/// The input of one transform.
#[derive(Clone, Copy, Debug)]
pub struct PluginCall<'a> {
    /// The delivery; seeds WASI's randomness, so that a retry sees the same values.
    pub delivery_id: DeliveryId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The delivery's subscription.
    pub subscription: &'a Subscription,
    /// At least one event, oldest first, each with its data after field selection.
    pub events: &'a [(&'a Event, &'a str)],
    /// The plugin's configuration as JSON text.
    pub config: &'a str,
    /// The names of the secrets whose placeholders it may request.
    pub secrets: &'a [&'a str],
}

/// The result of one transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRun {
    /// The plugin's decision, or its fault.
    pub result: Result<PluginDecision, PluginFault>,
    /// Its log, whether it failed or not.
    pub logs: Vec<LogLine>,
    /// The placeholders that it received, each name once, whether it failed or not.
    pub sealed: Vec<Sealed>,
    /// The resources that it used; the time excludes waiting for its turn.
    pub figures: Figures,
}

/// A plugin's decision about a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginDecision {
    /// Send this.
    Deliver(Draft),
    /// Send nothing, for this reason.
    Skip(String),
}

/// The engine. Clones share all state.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    wasmtime: wasmtime::Engine,
    limits: Limits,
    linker: Linker<State>,
    plugins: plugins::PluginCache,
    disk: disk::Disk,
    compiler: compile::Compiler,
    /// One for each slot of the pool: an instance without a slot would fail.
    slots: turns::Turns,
    /// The processors that transforms may use which are not over at once: all but one, which accepts and sends.
    processors: turns::Turns,
}

impl Engine {
    /// The program that compiles as `hookmill compile`: this one.
    pub fn program(&self) -> &Path {
        &self.0.compiler.binary
    }

    /// Sets up an engine that keeps compiled plugins in `cache_dir` and compiles by running `binary compile`, this same
    /// program.
    ///
    /// # Errors
    /// If the address space cannot be reserved, or the directory cannot be used.
    pub fn new(limits: &Limits, cache_dir: &Path, binary: PathBuf) -> Result<Self, EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Setup(error.into());
        let wasmtime = wasmtime::Engine::new(&settings::run(limits)).map_err(setup)?;
        let mut linker = Linker::new(&wasmtime);
        v1::link(&mut linker).map_err(setup)?;
        let disk = disk::Disk::open(cache_dir, &wasmtime)
            .map_err(|source| EngineError::Folder { folder: cache_dir.to_owned(), source })?;
        Ok(Self(Arc::new(Inner {
            wasmtime,
            limits: limits.clone(),
            linker,
            plugins: plugins::PluginCache::new(limits.loaded_max, limits.loaded_bytes_max),
            disk,
            compiler: compile::Compiler::new(binary, limits),
            slots: turns::Turns::new(limits.transforms_max as usize, true),
            processors: turns::Turns::new(processors().saturating_sub(1).max(1), false),
        })))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine(…)")
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Truncates `text` to at most so many bytes.
pub fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
    text
}
