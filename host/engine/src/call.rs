//! Running a plugin: one instance and one call, within all limits.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use hookmill_model::{Figures, LogLine, PluginFault, PluginFaultCode, Sealed};
use jiff::Timestamp;
use wasmtime::Store;
use wasmtime::component::Instance;

use super::state::State;
use super::turns::{Turn, TurnOwner};
use super::{Engine, EngineError, PluginCall, PluginRun, Prepared, fault, limits};

/// Resource handles that one instance may hold at once; WASI's streams are the only resources.
const HANDLES_MAX: usize = 1_000;

/// How long a guest runs before it waits for a turn: the bundled plugins are over by then, and a hundred others that
/// begin at the same time delay what else runs here by a few milliseconds.
const AT_ONCE: Duration = Duration::from_micros(200);

/// How long a turn is: giving it to the next takes microseconds.
const TURN: Duration = Duration::from_millis(5);

/// The inputs of a call other than its plugin.
pub(super) struct CallContext {
    /// Bytes of input that count for the fuel limit.
    pub(super) bytes: usize,
    /// The time of WASI's clocks.
    pub(super) now: Timestamp,
    /// The seed of WASI's randomness.
    pub(super) seed: String,
    /// The names of the available secrets.
    pub(super) secrets: Vec<String>,
    /// The space and subscription that its turns are for.
    pub(super) whose: TurnOwner,
}

/// The side effects of a call.
pub(super) struct CallEnd {
    pub(super) logs: Vec<LogLine>,
    pub(super) sealed: Vec<Sealed>,
    /// The time covers the call only.
    pub(super) figures: Figures,
}

impl Engine {
    /// Runs a plugin on a delivery.
    ///
    /// # Errors
    /// If the host failed; the plugin's own fault is in [`PluginRun::result`].
    pub async fn transform(&self, plugin: &Prepared, input: PluginCall<'_>) -> Result<PluginRun, EngineError> {
        let bytes = input.config.len() + input.events.iter().map(|(_, data)| data.len()).sum::<usize>();
        let now = input.events.last().map_or(Timestamp::UNIX_EPOCH, |(event, _)| event.occurred_at);
        let secrets = input.secrets.iter().map(|&name| name.to_owned()).collect();
        let call = CallContext {
            bytes,
            now,
            seed: input.delivery_id.to_string(),
            secrets,
            whose: TurnOwner::of(input.subscription),
        };
        let called =
            self.call(plugin, call, async |store, instance| plugin.exports.transform(store, instance, &input).await);
        let (result, ended) = called.await?;
        let started = Instant::now();
        let result = result.and_then(|given| given.check(&self.0.limits));
        let CallEnd { logs, sealed, mut figures } = ended;
        figures.transform_us = figures.transform_us.saturating_add(micros(started.elapsed()));
        Ok(PluginRun { result, logs, sealed, figures })
    }

    /// Creates an instance and drops it, to measure the cost.
    ///
    /// # Errors
    /// If the host failed; a fault of the plugin while it starts is not an error.
    pub async fn instantiate(&self, plugin: &Prepared) -> Result<(), EngineError> {
        let (now, whose) = (Timestamp::UNIX_EPOCH, TurnOwner::default());
        let call = CallContext { bytes: 0, now, seed: String::new(), secrets: Vec::new(), whose };
        self.call(plugin, call, async |_, _| Ok(())).await.map(|_| ())
    }

    /// Creates an instance, calls one of its functions and drops the instance, within all limits.
    pub(super) async fn call<T>(
        &self,
        plugin: &Prepared,
        call: CallContext,
        function: impl AsyncFnOnce(&mut Store<State>, Instance) -> wasmtime::Result<T>,
    ) -> Result<(Result<T, PluginFault>, CallEnd), EngineError> {
        let limits = &self.0.limits;
        let fuel = limits::fuel(limits, call.bytes);
        let whose = call.whose.clone();
        let _slot = self.0.slots.acquire(&whose, false).await;
        let mut store = self.store(call, fuel)?;
        if plugin.composed {
            limits::yield_between_calls(&mut store);
        }
        let running = async {
            let instance = plugin.instance.instantiate_async(&mut store).await?;
            function(&mut store, instance).await
        };
        let (result, took) = self.in_turns(&whose, running).await;
        let result = match result {
            Some(Ok(given)) => Ok(given),
            Some(Err(error)) => Err(fault::from_error(error, fuel)?),
            None => Err(self.timed_out()),
        };
        let fuel_used = fuel - store.get_fuel().unwrap_or(0).min(fuel);
        let State { logs, secrets, limiter, .. } = store.into_data();
        let (logs, sealed) = (logs.finish(), secrets.finish());
        let figures = Figures {
            fuel_used,
            fuel_max: fuel,
            memory_bytes: limiter.memory_bytes() as u64,
            memory_bytes_max: limits.memory_bytes_max as u64,
            transform_us: micros(took),
        };
        Ok((result, CallEnd { logs, sealed, figures }))
    }

    /// Runs a guest at once for [`AT_ONCE`], then in turns of [`TURN`]. Returns its result, or none if it was not over within
    /// the limit, and the time that it ran.
    async fn in_turns<F: Future>(&self, whose: &TurnOwner, guest: F) -> (Option<F::Output>, Duration) {
        let mut guest = std::pin::pin!(guest);
        let wall_clock = Duration::from_millis(self.0.limits.wall_clock_ms_max);
        let (mut took, mut slice) = (Duration::ZERO, AT_ONCE);
        let mut turn: Option<Turn> = None;
        loop {
            let began = Instant::now();
            let mut polled = false;
            let running = poll_fn(|context| {
                if std::mem::replace(&mut polled, true) && began.elapsed() >= slice {
                    return Poll::Ready(None);
                }
                guest.as_mut().poll(context).map(Some)
            });
            let ran = tokio::time::timeout(wall_clock.saturating_sub(took), running).await;
            took += began.elapsed();
            match ran {
                Ok(Some(result)) => return (Some(result), took),
                // The timer alone is not enough: it may be noticed only after a guest that seldom yields has run again.
                Ok(None) if took < wall_clock => {}
                Ok(None) | Err(_) => return (None, took),
            }
            drop(turn.take());
            turn = Some(self.0.processors.acquire(whose, true).await);
            slice = TURN;
        }
    }

    fn store(&self, call: CallContext, fuel: u64) -> Result<Store<State>, EngineError> {
        let limits = &self.0.limits;
        let now = Duration::try_from(call.now.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default();
        let mut store = Store::new(&self.0.wasmtime, State::new(limits, fuel, now, call.seed, call.secrets));
        store.limiter(|state| &mut state.limiter);
        let set = store.set_fuel(fuel).and_then(|()| store.fuel_async_yield_interval(Some(limits::YIELD_FUEL)));
        set.map_err(|error| EngineError::Setup(error.into()))?;
        store.set_hostcall_fuel(limits::passed_bytes_max(limits));
        store.set_max_component_handles(HANDLES_MAX);
        Ok(store)
    }

    /// Too much work runs out of fuel first, so the machine was short of CPU time, and a retry may succeed.
    fn timed_out(&self) -> PluginFault {
        let message = format!("took longer than {} ms", self.0.limits.wall_clock_ms_max);
        PluginFault { code: PluginFaultCode::TimedOut, message, retry: true }
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
