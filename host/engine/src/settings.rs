//! The settings of wasmtime: each one that differs from its default, with the reason.
//!
//! The compiling child and the host that runs its artefacts must agree on [`code`], since compiled code depends on it;
//! wasmtime refuses an artefact that was compiled with other settings. [`run`] adds the settings for running.

use std::num::NonZeroUsize;

use wasmtime::{
    Config, InstanceAllocationStrategy, OperatorCost, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::config::Limits;

/// Frames of a trap's backtrace: enough to see a recursion by its length (see `fault`).
pub(super) const BACKTRACE_FRAMES: usize = 64;

/// Elements of one table; wasmtime's default, which fits a debug build of C# and StarlingMonkey.
pub(super) const TABLE_ELEMENTS_MAX: usize = 20_000;

/// Bytes of each memory that are cleared by writing zeros after a call: all of a plugin of the Rust SDK, which takes four
/// to six pages of 64 KiB unless it grows. With it, two threads run 1.8 times the transforms of one; without it, no more
/// than one. A guest with more memory loses about 4 µs.
const MEMORY_KEPT: usize = 384 << 10;

/// Returns the settings that compiled code depends on.
pub(crate) fn code() -> Config {
    let mut config = Config::new();
    // The limit of a transform's work: unlike time, it is the same on every machine and in every attempt.
    config.consume_fuel(true).operator_cost(costs());
    config.cranelift_opt_level(OptLevel::Speed);
    // The bits of a NaN would differ between processors.
    config.cranelift_nan_canonicalization(true);
    config.wasm_relaxed_simd(false);
    // Not needed, and each a risk: 64-bit memories need bounds checks, the other proposals are young.
    config.wasm_memory64(false).wasm_component_model_memory64(false).wasm_stack_switching(false);
    // The contract has no streams or futures; with support for them a call costs three times as much.
    config.concurrency_support(false);
    // A pooled memory does not move, so that code can keep its base in a register.
    config.memory_may_move(false);
    // The names of a trap's functions come from the name section; positions within them would double an artefact's size.
    config.generate_address_map(false);
    // Registering each module's unwind tables with libgcc takes a lock and gets slower with their number; wasmtime
    // walks the guest's frames without them.
    config.native_unwind_info(false);
    config
}

/// Returns the fuel costs: one unit per instruction, and one per byte or element for bulk instructions. Growing costs
/// more, regardless of the size: it calls into the host and the kernel.
fn costs() -> OperatorCost {
    let mut costs = OperatorCost::new();
    costs.MemoryGrow = u8::MAX;
    costs.TableGrow = u8::MAX;
    costs
}

/// Returns the settings for running: memory for [`Limits::transforms_max`] instances at once, reserved at the start.
pub(super) fn run(limits: &Limits) -> Config {
    let mut config = code();
    // Compiling happens only in a child process; see `compile`.
    config.enable_compiler(false);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES));
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    config
}

/// Returns a pool with a slot for everything that `transforms_max` components may hold, since an instance without a slot
/// fails.
///
/// The pool reserves address space; a slot takes memory only while it is used. Each memory reserves 4 GiB and guard
/// pages, so that no access needs a bounds check.
fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let components = limits.transforms_max;
    let each = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let all = |count: usize| components.saturating_mul(each(count));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(components).total_stacks(components);
    pool.max_core_instances_per_component(each(limits.instances_max)).total_core_instances(all(limits.instances_max));
    pool.max_memories_per_component(each(limits.memories_max)).total_memories(all(limits.memories_max));
    pool.max_tables_per_component(each(limits.tables_max)).total_tables(all(limits.tables_max));
    pool.max_memories_per_module(each(limits.memories_max)).max_tables_per_module(each(limits.tables_max));
    pool.max_memory_size(limits.memory_bytes_max).table_elements(TABLE_ELEMENTS_MAX);
    // Writing zeros is cheaper than returning pages and faulting them in again, and it scales: returning pages changes
    // the process's address space, which interrupts every other thread.
    pool.table_keep_resident(64 << 10);
    pool.linear_memory_keep_resident(MEMORY_KEPT);
    pool
}
