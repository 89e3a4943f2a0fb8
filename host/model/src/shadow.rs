//! A shadow: a plugin that runs next to a subscription's active one on live events, without sending.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Difference, PluginFaultCode};

/// Differences that a shadow keeps.
const DIFFERENCES_MAX: usize = 10;

/// The counters of a shadow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Deliveries that it ran on, whether the results were the same or not.
    pub runs: u64,
    /// Deliveries with the same result as the active plugin's.
    pub same: u64,
    /// Deliveries with a different result.
    pub different: u64,
    /// Deliveries on which it failed, by the kind of fault.
    pub failed: BTreeMap<PluginFaultCode, u64>,
    /// Deliveries for which it would have sent nothing.
    pub skipped: u64,
    /// Deliveries on which it did not run because it was too slow.
    pub left_out: u64,
    /// The fuel that it used.
    pub fuel_used: u64,
    /// The fuel that the active plugin used on the same deliveries.
    pub fuel_used_active: u64,
    /// The last differences, newest last.
    pub differences: Vec<Difference>,
}

impl Tally {
    /// Adds later counts.
    pub fn add(&mut self, later: Self) {
        let Self { runs, same, different, failed, skipped, left_out, fuel_used, fuel_used_active, differences } = later;
        self.runs += runs;
        self.same += same;
        self.different += different;
        for (code, count) in failed {
            *self.failed.entry(code).or_default() += count;
        }
        self.skipped += skipped;
        self.left_out += left_out;
        self.fuel_used += fuel_used;
        self.fuel_used_active += fuel_used_active;
        self.differences.extend(differences);
        let old = self.differences.len().saturating_sub(DIFFERENCES_MAX);
        self.differences.drain(..old);
    }
}

/// The progress of a subscription's shadow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// When it started.
    pub started_at: Timestamp,
    /// Its counters since then.
    pub tally: Tally,
}
