//! The components that the tests run. They are committed; `cargo components` rebuilds them.

macro_rules! guest {
    ($name:literal) => {
        include_bytes!(concat!("../components/", $name, ".wasm"))
    };
}

/// Does what its configuration says, mostly wrong. Rust for `wasm32-wasip2`, so it imports WASI.
pub const ROGUE: &[u8] = guest!("rogue");

/// Returns the first event's data as JSON: the smallest plugin, which imports nothing.
pub const ECHO: &[u8] = guest!("echo");

/// The echo, which also logs, by the contract's latest version.
pub const LOGGING: &[u8] = guest!("logging");

/// The same by version 1.0.0 of the contract.
pub const LOGGING_1_0_0: &[u8] = guest!("logging_1_0_0");

/// Calls itself without end, on WebAssembly's own stack.
pub const RECURSION: &[u8] = guest!("recursion");

/// Returns a body of a kind that the contract does not know.
pub const NINTH_BODY: &[u8] = guest!("ninth_body");

/// Returns a body that reaches beyond its memory.
pub const NO_MEMORY: &[u8] = guest!("no_memory");

/// Never finishes starting.
pub const NEVER_STARTS: &[u8] = guest!("never_starts");

/// Traps when it is asked to describe itself.
pub const SPEECHLESS: &[u8] = guest!("speechless");
