//! The engine: runs plugins, which are WebAssembly components that anybody may have written.
//!
//! A plugin is compiled once, kept on disk and in memory by its component's digest, and gets a fresh instance for
//! every transform: nothing of one call is left for the next. A transform is bounded in work (fuel, the same verdict on
//! every machine), time, memory and output; what it may import is a log and placeholders of secrets, whose values never
//! come here. Whatever it does wrong is data, a [`PluginFault`]; an [`EngineError`] is the host's own failure.
//!
//! Guests run on the caller's own thread, on a stack of their own, and let others run after every 70 µs: handing a transform to another thread would cost more than most transforms.
//!
//! What this does not rely on: that components are well-meant, that compiling ends (see `compile`), that a guest's
//! calls to the host are few (see `limits`), that files on disk are whole (see `disk`). What it does rely on: that
//! wasmtime's sandbox holds.
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
mod scan;
mod secrets;
mod settings;
mod state;
mod wasi;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Semaphore;
use wasmtime::component::Linker;

use self::bindings::v1;
use self::state::State;
use hookmill_model::{
    DeliveryId, Digest, Draft, Event, Figures, LogLine, PluginFault, PluginName, PluginVersion, Sealed, Subscription,
};

pub use self::compile::{REFUSED, precompile};
pub use self::config::Limits;
pub use self::contract::Outline;
pub use self::plugins::Prepared;
pub use self::scan::outline;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Ours to mend: the machine, its disk, or a bug. No plugin is at fault.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime does not start: usually an address space that is too small for `plugin.transforms_max`.
    #[error("the WebAssembly engine cannot be set up")]
    Setup(#[source] Source),
    /// The folder of compiled plugins cannot be used.
    #[error("the folder of compiled plugins {} cannot be used", folder.display())]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The compiling process cannot be started or spoken with.
    #[error("the compiler {} cannot be run", binary.display())]
    Compiler {
        /// The program.
        binary: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The compiling process ended in a way that it should not.
    #[error("the compiler ended with status {code:?}: {complaint}")]
    CompilerExit {
        /// Its exit status.
        code: Option<i32>,
        /// What it said.
        complaint: String,
    },
    /// No instance could be made, or the memory that one asked for is not there.
    #[error("an instance of a plugin cannot be made")]
    Instance(#[source] Source),
}

/// Why a component is no plugin that this host takes, in words for whoever uploads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// Why a plugin cannot be had from a component.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The component is at fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The host is.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What a component says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspected {
    /// The component's digest.
    pub digest: Digest,
    /// The plugin's name.
    pub name: PluginName,
    /// Its version.
    pub version: PluginVersion,
    /// What it is for.
    pub summary: String,
    /// The content types that it makes.
    pub content_types: Vec<String>,
    /// The JSON Schema of its configuration.
    pub config_schema: Value,
}

/// What a transform gets.
#[derive(Clone, Copy, Debug)]
pub struct PluginCall<'a> {
    /// The delivery; seeds what WASI gives for randomness, so that a retry sees the same.
    pub delivery_id: DeliveryId,
    /// 1 for the first.
    pub attempt: u32,
    /// Whose delivery it is.
    pub subscription: &'a Subscription,
    /// At least one event, oldest first, each with its data after field selection.
    pub events: &'a [(&'a Event, &'a str)],
    /// The plugin's configuration as JSON text.
    pub config: &'a str,
    /// The names of the secrets that it may ask placeholders of.
    pub secrets: &'a [&'a str],
}

/// What came of a transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRun {
    /// What the plugin decided, or how it failed.
    pub result: Result<PluginDecision, PluginFault>,
    /// What it logged, whatever became of it.
    pub logs: Vec<LogLine>,
    /// What the placeholders stand for that it got, each name once, whatever became of it.
    pub sealed: Vec<Sealed>,
    /// What it used; the time is without waiting for its turn.
    pub figures: Figures,
}

/// What a plugin decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginDecision {
    /// To send this.
    Deliver(Draft),
    /// To send nothing, for this reason.
    Skip(String),
}

/// Runs plugins. Clones share everything.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    wasmtime: wasmtime::Engine,
    limits: Limits,
    linker: Linker<State>,
    plugins: plugins::PluginCache,
    disk: disk::Disk,
    compiler: compile::Compiler,
    /// As many as the pool has slots: who waits here would otherwise find none.
    turns: Semaphore,
}

impl Engine {
    /// Sets up an engine that keeps compiled plugins in `cache_dir` and compiles by running `binary compile`, this very
    /// program.
    ///
    /// # Errors
    /// If the machine does not give the address space, or the folder cannot be used.
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
            plugins: plugins::PluginCache::new(limits.loaded_max),
            disk,
            compiler: compile::Compiler::new(binary, limits),
            turns: Semaphore::new(limits.transforms_max as usize),
        })))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine(…)")
    }
}

/// `text`, cut to so many bytes.
pub fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
    text
}
