//! What another version of a plugin would do differently: a shadow's and a comparison's results.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// A version that runs on live events without sending.
#[derive(Deserialize)]
pub(super) struct Shadow {
    pub(super) plugin: Version,
    pub(super) started_at: Timestamp,
    pub(super) runs: u64,
    pub(super) same: u64,
    pub(super) different: u64,
    pub(super) failed: BTreeMap<String, u64>,
    pub(super) skipped: u64,
    pub(super) left_out: u64,
    pub(super) fuel_used: u64,
    pub(super) fuel_used_active: u64,
    pub(super) differences: Vec<Difference>,
}

#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) version: String,
}

/// The result of another version on stored events.
#[derive(Deserialize)]
pub(super) struct Comparison {
    pub(super) events: u64,
    pub(super) same: u64,
    pub(super) different: u64,
    pub(super) failed_before: u64,
    pub(super) failed_after: u64,
    pub(super) fuel_used_before: u64,
    pub(super) fuel_used_after: u64,
    pub(super) differences: Vec<Difference>,
    pub(super) timed_out: bool,
}

/// The difference of two requests for an event.
#[derive(Deserialize)]
pub(super) struct Difference {
    pub(super) event_id: String,
    pub(super) event_type: String,
    pub(super) changes: Vec<Change>,
    pub(super) more: u64,
}

#[derive(Deserialize)]
pub(super) struct Change {
    part: String,
    at: Option<String>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Change {
    /// Returns the place of the change: `body /lead/name`.
    pub(super) fn place(&self) -> String {
        match &self.at {
            Some(at) => format!("{} {at}", self.part),
            None => self.part.clone(),
        }
    }
}

impl Shadow {
    /// Returns its failures of all kinds.
    pub(super) fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}
