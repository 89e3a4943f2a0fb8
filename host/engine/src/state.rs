//! The host's state of one instance.

use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::limits::Limiter;
use super::logs::Logs;
use super::secrets::Secrets;
use crate::config::Limits;

/// The data of one wasmtime store, which lives as long as a transform.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limiter: Limiter,
    pub(super) logs: Logs,
    pub(super) secrets: Secrets,
    /// Bytes that the current host call moved, to be charged.
    pub(super) moved: usize,
    /// The fuel that was left when the guest last yielded.
    pub(super) yielded_at: u64,
    /// When a composed component was last made to yield, and whether it is about to.
    pub(super) interval_began: Instant,
    pub(super) ends_interval: bool,
    /// The time of WASI's clocks.
    pub(super) now: Duration,
    random: Random,
}

impl State {
    /// Creates the state of a transform with this much fuel, `now` as its time, `seed` for its randomness, and access to
    /// the placeholders of `secrets`.
    pub(super) fn new(limits: &Limits, fuel: u64, now: Duration, seed: String, secrets: Vec<String>) -> Self {
        Self {
            limiter: Limiter::new(limits),
            logs: Logs::new(limits.log_bytes_max),
            secrets: Secrets::new(secrets),
            moved: 0,
            yielded_at: fuel,
            interval_began: Instant::now(),
            ends_interval: false,
            now,
            random: Random { seed, block: 0 },
        }
    }

    /// Returns the next bytes of a sequence that depends only on the seed. They are not secret.
    pub(super) fn random(&mut self, length: usize) -> Vec<u8> {
        // A block takes about 200 ns, as much as 100 bytes elsewhere.
        self.moved += length * 4;
        let mut bytes = Vec::with_capacity(length + 32);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.random.next());
        }
        bytes.truncate(length);
        bytes
    }
}

/// SHA-256 over the seed and a counter: the same on every machine and in every version of the host.
#[derive(Debug)]
struct Random {
    seed: String,
    block: u64,
}

impl Random {
    fn next(&mut self) -> [u8; 32] {
        self.block += 1;
        Sha256::new().chain_update(&self.seed).chain_update(self.block.to_be_bytes()).finalize().into()
    }
}
