//! The limits that plugins run under: the unit in each name, its default, and the reason for it.

use serde::Deserialize;

/// Limits on plugins. Those that a plugin's author meets stand in `wit/` too.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// A component's size. Python's are 18.5 MB, StarlingMonkey's 12.
    pub component_bytes_max: usize,
    /// Time to compile a component, in a process of its own: compiling is where a hostile component costs most (1.4 MB
    /// took 49 s). Python's 18.5 MB take 8 s.
    pub compile_s_max: u64,
    /// Address space of that process. StarlingMonkey and Python need about 2 GiB, a hostile 7 MB took 4.8.
    pub compile_memory_bytes_max: u64,
    /// Compiling processes at once: each may take `compile_memory_bytes_max` and occupies a core.
    pub compilers_max: usize,
    /// Fuel of one transform, whatever its input: about 7 ms. QuickJS and Python need 1 million to start,
    /// StarlingMonkey 8.
    pub fuel_base: u64,
    /// Fuel for each byte of events and configuration: a Rust plugin uses some 340 to reshape JSON, a scripted one ten
    /// times that. Authors do not choose their input's size, so the limit follows it.
    pub fuel_per_byte: u64,
    /// Wall clock of one transform: a second net, for a machine that is short of CPU. Fuel is the first.
    pub wall_clock_ms_max: u64,
    /// Memory of one instance. Rust and QuickJS need 2 MiB, Python 16, and the largest body needs some copies.
    pub memory_bytes_max: usize,
    /// Memories of one component: 1 for most, 2 with an adapter.
    pub memories_max: usize,
    /// Tables of one component.
    pub tables_max: usize,
    /// Core instances of one component: Rust has 5 to 18, QuickJS 40, Python 108.
    pub instances_max: usize,
    /// A body once encoded. Fits Zapier's documented 10 MB and n8n's 16; Make takes 5.2.
    pub output_bytes_max: usize,
    /// A plugin's headers.
    pub headers_max: usize,
    /// A header's name.
    pub header_name_bytes_max: usize,
    /// A header's value: what most servers take.
    pub header_value_bytes_max: usize,
    /// All of a plugin's headers: what most servers take.
    pub headers_bytes_max: usize,
    /// The query that a plugin appends, encoded: what most servers take in a request line.
    pub query_bytes_max: usize,
    /// What one transform may log.
    pub log_bytes_max: usize,
    /// Transforms that run at once. Each may take `memory_bytes_max`.
    pub transforms_max: u32,
    /// Compiled plugins that stay in memory: a thousand small ones take some 250 MiB. The least recently used one is
    /// dropped first, and is read from disk again in less than a millisecond.
    pub loaded_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes_max: 32 << 20,
            compile_s_max: 60,
            compile_memory_bytes_max: 4 << 30,
            compilers_max: 2,
            fuel_base: 100_000_000,
            fuel_per_byte: 2_000,
            wall_clock_ms_max: 5_000,
            memory_bytes_max: 64 << 20,
            memories_max: 4,
            tables_max: 64,
            instances_max: 128,
            output_bytes_max: 6 << 20,
            headers_max: 64,
            header_name_bytes_max: 128,
            header_value_bytes_max: 8 << 10,
            headers_bytes_max: 32 << 10,
            query_bytes_max: 8 << 10,
            log_bytes_max: 16 << 10,
            transforms_max: 64,
            loaded_max: 1_000,
        }
    }
}
