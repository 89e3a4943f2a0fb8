//! The limits of one transform: memory by wasmtime's limiter, work by fuel.
//!
//! wasmtime's fuel counts only the guest's instructions, not the host's work for it, so every host function goes through
//! [`host_function`], which charges for the call and the bytes that it moved. Otherwise a loop of calls would be nearly
//! free for the guest and expensive for the host.

use std::time::{Duration, Instant};

use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower};
use wasmtime::{CallHook, ResourceLimiter, Result, Store, StoreContextMut, Trap};

use super::settings::TABLE_ELEMENTS_MAX;
use super::state::State;
use crate::config::Limits;

/// Fuel after which a guest yields its thread: about 70 µs. Small transforms end earlier.
pub(super) const YIELD_FUEL: u64 = 1_000_000;

/// How long calls within a composed component may occupy the thread.
const CALLS_HOLD: Duration = Duration::from_millis(10);

/// Fuel of a call to the host: the number of instructions that take about the same time, as measured.
const CALL_FUEL: u64 = 1_000;

/// Fuel of a byte that a call moves: it is copied and validated as UTF-8.
const BYTE_FUEL: u64 = 4;

/// Returns the fuel of a transform with this many bytes of events and configuration.
pub(super) fn fuel(limits: &Limits, input_bytes: usize) -> u64 {
    limits.fuel_base.saturating_add(limits.fuel_per_byte.saturating_mul(input_bytes as u64))
}

/// Returns the number of bytes that a guest may pass in one call. A form of short fields takes several times its encoded
/// size here.
pub(super) fn passed_bytes_max(limits: &Limits) -> usize {
    limits.output_bytes_max.saturating_mul(4).saturating_add(1 << 20)
}

/// A limit that an instance exceeded; it is the cause of the resulting trap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Exceeded {
    #[error("asked for {wanted} bytes of memory; a plugin may have {max}")]
    Memory { wanted: usize, max: usize },
    #[error("asked for a table of {wanted} elements; a plugin may have {max}")]
    Table { wanted: usize, max: usize },
}

/// The machine has no memory left, which is not the plugin's fault.
#[derive(Debug, thiserror::Error)]
#[error("no memory left for an instance: {0}")]
pub(super) struct HostOutOfMemory(String);

/// Limits the memory of one instance, all its linear memories together.
///
/// Exceeding the limit traps instead of returning WebAssembly's -1, which most guests turn into a bare `unreachable` that
/// says nothing to their author.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_left: usize,
    memory_max: usize,
    memories: usize,
    tables: usize,
    instances: usize,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            memory_left: limits.memory_bytes_max,
            memory_max: limits.memory_bytes_max,
            memories: limits.memories_max,
            tables: limits.tables_max,
            instances: limits.instances_max,
        }
    }

    /// The peak size of all memories together, since memories do not shrink.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_max - self.memory_left
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let more = desired.saturating_sub(current);
        // Beyond its declared maximum a memory does not grow; that is the guest's own limit and does not trap. The
        // pool's limit also arrives here as a maximum.
        if maximum.is_some_and(|maximum| desired > maximum) && desired <= self.memory_max {
            return Ok(false);
        }
        match self.memory_left.checked_sub(more) {
            Some(left) => {
                self.memory_left = left;
                Ok(true)
            }
            None => {
                let wanted = (self.memory_max - self.memory_left).saturating_add(more);
                Err(Exceeded::Memory { wanted, max: self.memory_max }.into())
            }
        }
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> Result<()> {
        Err(HostOutOfMemory(format!("{error:#}")).into())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        if desired <= TABLE_ELEMENTS_MAX {
            Ok(true)
        } else {
            Err(Exceeded::Table { wanted: desired, max: TABLE_ELEMENTS_MAX }.into())
        }
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

/// Defines a function that a guest can call. `body` adds the bytes that it moved to [`State::moved`].
pub(super) fn host_function<Params, Return>(
    instance: &mut LinkerInstance<'_, State>,
    name: &str,
    body: impl Fn(&mut State, Params) -> Result<Return> + Copy + Send + Sync + 'static,
) -> Result<()>
where
    Params: ComponentNamedList + Lift + Send + 'static,
    Return: ComponentNamedList + Lower + Send + 'static,
{
    instance.func_wrap_async(name, move |mut store: StoreContextMut<'_, State>, params: Params| {
        Box::new(async move {
            let result = body(store.data_mut(), params);
            charge(&mut store).await?;
            result
        })
    })
}

/// Charges the fuel of one call to the host.
///
/// Setting fuel restarts the interval to the next yield, so a loop of calls would never yield: this function yields
/// instead.
async fn charge(store: &mut StoreContextMut<'_, State>) -> Result<()> {
    let moved = std::mem::take(&mut store.data_mut().moved) as u64;
    let cost = CALL_FUEL.saturating_add(BYTE_FUEL.saturating_mul(moved));
    let left = store.get_fuel()?.saturating_sub(cost);
    store.set_fuel(left)?;
    if left == 0 {
        return Err(Trap::OutOfFuel.into());
    }
    let state = store.data_mut();
    if state.yielded_at.saturating_sub(left) >= YIELD_FUEL {
        state.yielded_at = left;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Makes a component that is composed of others yield between their calls.
///
/// The host copies what they pass to one another, at about a millisecond per megabyte, and fuel does not count that: the
/// interval to the next yield could take minutes. So every call checks the clock, and when time is up, shortens the
/// interval to the guest's next instruction; the next call restores it. The guest's fuel stays the same.
pub(super) fn yield_between_calls(store: &mut Store<State>) {
    store.call_hook(|mut store, hook| {
        if !matches!(hook, CallHook::CallingHost) {
            return Ok(());
        }
        let state = store.data_mut();
        let interval = if std::mem::take(&mut state.ends_interval) {
            YIELD_FUEL
        } else if state.interval_began.elapsed() >= CALLS_HOLD {
            state.interval_began = Instant::now();
            state.ends_interval = true;
            1
        } else {
            return Ok(());
        };
        let left = store.get_fuel()?;
        store.fuel_async_yield_interval(Some(interval))?;
        store.set_fuel(left)
    });
}
