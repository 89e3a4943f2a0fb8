//! The components that the tests run.

/// Does what its configuration says, mostly wrong. Rust for `wasm32-wasip2`, so it imports WASI.
pub const ROGUE: &[u8] = include_bytes!(env!("HOOKMILL_ROGUE_WASM"));

macro_rules! by_hand {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        pub const $name: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/", $file, ".wasm"));
    };
}

by_hand!(
    /// Gives the first event's data as JSON: the smallest plugin, which imports nothing.
    ECHO, "echo"
);
by_hand!(
    /// The echo, which also logs, by the contract's latest version.
    LOGGING, "logging"
);
by_hand!(
    /// The same, made when 1.0.0 was the latest.
    LOGGING_1_0_0, "logging_1_0_0"
);
by_hand!(
    /// Calls itself without end, on WebAssembly's own stack.
    RECURSION, "recursion"
);
by_hand!(
    /// Gives a body of a kind that the contract does not know.
    NINTH_BODY, "ninth_body"
);
by_hand!(
    /// Gives a body that reaches beyond its memory.
    NO_MEMORY, "no_memory"
);
by_hand!(
    /// Never ends to start.
    NEVER_STARTS, "never_starts"
);
by_hand!(
    /// Traps when it is asked to describe itself.
    SPEECHLESS, "speechless"
);
