//! What one transform may use: memory by wasmtime's limiter, work by fuel.
//!
//! Fuel counts the guest's instructions by itself. What the host does for a guest it does not count, so every host
//! function goes through [`host_function`], which charges for the call and the bytes it moved. Without that, a loop
//! of calls would be nearly free for the guest and dear for the host.

use std::time::{Duration, Instant};

use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower};
use wasmtime::{CallHook, ResourceLimiter, Result, Store, StoreContextMut, Trap};

use super::settings::TABLE_ELEMENTS_MAX;
use super::state::State;
use crate::config::Limits;

/// Fuel after which a guest lets others run on its thread: about 70 µs. Small transforms end before.
pub(super) const YIELD_FUEL: u64 = 1_000_000;

/// How long a composed component may keep its thread through calls.
const CALLS_HOLD: Duration = Duration::from_millis(10);

/// Fuel of a call to the host: about what one costs, measured as the instructions of the same time.
const CALL_FUEL: u64 = 1_000;

/// Fuel of a byte that a call moves: it is copied and checked to be UTF-8.
const BYTE_FUEL: u64 = 4;

/// The fuel of a transform with this many bytes of events and configuration.
pub(super) fn fuel(limits: &Limits, input_bytes: usize) -> u64 {
    limits.fuel_base.saturating_add(limits.fuel_per_byte.saturating_mul(input_bytes as u64))
}

/// Bytes that may pass from a guest in one call. A form of short fields takes several times its encoded size here.
pub(super) fn passed_bytes_max(limits: &Limits) -> usize {
    limits.output_bytes_max.saturating_mul(4).saturating_add(1 << 20)
}

/// A limit that an instance ran into; found again as the cause of the trap that it becomes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Exceeded {
    #[error("asked for {wanted} bytes of memory; a plugin may have {max}")]
    Memory { wanted: usize, max: usize },
    #[error("asked for a table of {wanted} elements; a plugin may have {max}")]
    Table { wanted: usize, max: usize },
}

/// The machine itself has no memory left: not the plugin's fault.
#[derive(Debug, thiserror::Error)]
#[error("no memory is left for an instance: {0}")]
pub(super) struct HostOutOfMemory(String);

/// Bounds the memory of one instance, all its linear memories together.
///
/// Refusing is a trap and not the -1 that WebAssembly foresees: most guests turn that into a bare `unreachable` which
/// tells their author nothing.
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

    /// The most that all memories took together: memories do not shrink.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_max - self.memory_left
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let more = desired.saturating_sub(current);
        // Beyond its own declared maximum a memory does not grow; that is the guest's own limit and no trap. The
        // pool's limit comes here as a maximum too.
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

/// Defines a function that a guest can call. `body` says how many bytes went through it by [`State::moved`].
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
            let answer = body(store.data_mut(), params);
            charge(&mut store).await?;
            answer
        })
    })
}

/// Takes the fuel of one call to the host.
///
/// Setting fuel begins the interval to the next yield anew, so a loop of calls would never yield: this does it instead.
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

/// Makes a component that is composed of others let others run.
///
/// The host copies what they pass to one another, some milliseconds for as many megabytes, and no fuel counts it: the
/// interval to the next yield could take minutes. So every call looks at the clock, and if it is time, the interval
/// ends at the guest's next step; the call by which it ends sets it right again. What fuel the guest has stays.
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
