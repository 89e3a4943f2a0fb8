//! A shadow: a plugin that runs beside a subscription's own on live events, without sending.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Difference, PluginFaultCode};

/// Differences that a shadow keeps.
const DIFFERENCES_MAX: usize = 10;

/// What was counted of a shadow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Deliveries that it ran on: those that came out the same and those that did not.
    pub runs: u64,
    /// Those that came out the same.
    pub same: u64,
    /// Those that did not.
    pub different: u64,
    /// Those that it failed on, by the kind of fault.
    pub failed: BTreeMap<PluginFaultCode, u64>,
    /// Those of which it would have sent nothing.
    pub skipped: u64,
    /// Deliveries that it did not run on, because it was too slow for them.
    pub left_out: u64,
    /// The fuel that it used.
    pub fuel_used: u64,
    /// The fuel that the subscription's own plugin used on the same deliveries.
    pub fuel_used_active: u64,
    /// The last differences, newest last.
    pub differences: Vec<Difference>,
}

impl Tally {
    /// Adds what was counted after it.
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

/// What is known of a subscription's shadow beside what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// Since when it runs.
    pub started_at: Timestamp,
    /// What was counted since.
    pub tally: Tally,
}
