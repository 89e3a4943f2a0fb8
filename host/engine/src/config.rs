//! The limits on plugins: each with its unit in the name, a default, and the reason for it.

use serde::Deserialize;

/// Limits on plugins. Those that concern a plugin's author are also documented in `wit/`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Size of a component. Python's are 18.5 MB, StarlingMonkey's 12.
    pub component_bytes_max: usize,
    /// CPU time to compile a component, in a separate process: compiling is where a hostile component costs most (1.4 MB
    /// took 49 s). Python's 18.5 MB take 8 s.
    pub compile_s_max: u64,
    /// Address space of that process. StarlingMonkey and Python need about 2 GiB, a hostile 7 MB took 4.8.
    pub compile_memory_bytes_max: u64,
    /// Compiling processes at once: each may take `compile_memory_bytes_max` and occupies a core.
    pub compilers_max: usize,
    /// Fuel of one transform, regardless of its input: about 7 ms. QuickJS and Python need 1 million to start,
    /// StarlingMonkey 8.
    pub fuel_base: u64,
    /// Fuel for each byte of events and configuration: a Rust plugin uses some 340 to reshape JSON, a scripted one ten
    /// times that. Authors do not control the size of their input, so the limit scales with it.
    pub fuel_per_byte: u64,
    /// Wall-clock time of one transform: the second safeguard after fuel, for a machine that is short of CPU.
    pub wall_clock_ms_max: u64,
    /// Memory of one instance. Rust and QuickJS need 2 MiB, Python 16, and the largest body needs several copies.
    pub memory_bytes_max: usize,
    /// Memories of one component: 1 for most, 2 with an adapter.
    pub memories_max: usize,
    /// Tables of one component.
    pub tables_max: usize,
    /// Core instances of one component: Rust has 5 to 18, QuickJS 40, Python 108.
    pub instances_max: usize,
    /// Size of an encoded body. Fits Zapier's documented 10 MB and n8n's 16; Make takes 5.2.
    pub output_bytes_max: usize,
    /// Number of a plugin's headers.
    pub headers_max: usize,
    /// Size of a header's name.
    pub header_name_bytes_max: usize,
    /// Size of a header's value: what most servers accept.
    pub header_value_bytes_max: usize,
    /// Size of all of a plugin's headers: what most servers accept.
    pub headers_bytes_max: usize,
    /// Size of the encoded query that a plugin appends: what most servers accept in a request line.
    pub query_bytes_max: usize,
    /// Size of one transform's log.
    pub log_bytes_max: usize,
    /// Transforms that run at once. Each may take `memory_bytes_max`.
    pub transforms_max: u32,
    /// Compiled plugins that stay in memory: a thousand small ones take some 250 MiB. The least recently used one is
    /// dropped first, and is read from disk again in less than a millisecond.
    pub loaded_max: usize,
    /// Bytes of compiled plugins that stay in memory, in addition to the one that is loaded last: a plugin in Python takes
    /// 40 MB, and a dozen of them must not take the memory of all others.
    pub loaded_bytes_max: usize,
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
            loaded_bytes_max: 512 << 20,
        }
    }
}
