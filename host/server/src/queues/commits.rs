//! Turns to commit: how much of one space the store commits together, which others' commits wait for.

use std::sync::{Mutex, PoisonError};

use hookmill_model::SpaceId;
use hookmill_turns::Shares;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::OwnedSemaphorePermit;

use crate::config::AcceptConfig;

/// Bytes of data that take about as long to write as a row, and count as one more.
const ROW_BYTES: usize = 8 << 10;

/// Returns the rows for which so many rows with so much data count.
pub fn rows(rows: usize, bytes: usize) -> usize {
    rows + bytes / ROW_BYTES
}

/// How long a space counts as one that commits after it did.
const COMPANY: SignedDuration = SignedDuration::from_secs(1);

/// The part of what is committed together when a space is alone that is committed together in company. A commit costs a
/// flush, whatever its size, so a space alone makes large ones.
const COMPANY_DIVISOR: usize = 4;

/// The turns of all spaces. Within a space, who came first is first.
#[derive(Debug)]
pub struct Commits {
    deliveries_max: usize,
    /// The rows of each space that are committed together.
    rows: Shares,
    latest: Mutex<Latest>,
}

/// The spaces that committed last.
#[derive(Debug, Default)]
struct Latest {
    of: Option<(SpaceId, Timestamp)>,
    /// When the last of another space was.
    other_at: Option<Timestamp>,
}

impl Commits {
    /// Creates the turns with the configured limit.
    pub fn new(config: &AcceptConfig) -> Self {
        let deliveries_max = config.commit_deliveries_max.min(u32::MAX as usize);
        Self { deliveries_max, rows: Shares::new(deliveries_max), latest: Mutex::default() }
    }

    /// Takes note that a space commits.
    pub fn by(&self, space: &SpaceId, now: Timestamp) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut latest.of {
            Some((same, at)) if same == space => *at = now,
            of => {
                let other = of.replace((space.clone(), now));
                latest.other_at = other.map(|(_, at)| at);
            }
        }
    }

    /// Returns how many rows are to be committed together: `alone`, or a part of it while several spaces commit, whose
    /// commits wait for each other.
    pub fn at_once(&self, alone: usize, now: Timestamp) -> usize {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let in_company = latest.other_at.is_some_and(|at| now.duration_since(at) < COMPANY);
        if in_company { alone.div_ceil(COMPANY_DIVISOR) } else { alone }
    }

    /// Returns how many deliveries of a space are to be committed together.
    pub fn deliveries_at_once(&self, now: Timestamp) -> usize {
        self.at_once(self.deliveries_max, now)
    }

    /// Waits until so many rows of this space may be committed; their turn lasts until the permit is dropped.
    pub async fn turn(&self, space: &SpaceId, rows: usize, now: Timestamp) -> OwnedSemaphorePermit {
        self.by(space, now);
        // In company a row takes up more of the space's turn. An event has all its deliveries in one commit: one with more
        // than the limit waits for all of it.
        let share = self.deliveries_max / self.deliveries_at_once(now);
        self.rows.take(space, rows.saturating_mul(share)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_committed_together_while_several_spaces_commit() {
        let commits = Commits::new(&AcceptConfig { commit_deliveries_max: 512, ..AcceptConfig::default() });
        let [busy, quiet] = ["busy", "quiet"].map(|id| SpaceId::parse(id).expect("an id"));
        let at = |ms| Timestamp::from_millisecond(ms).expect("a time");
        assert_eq!(commits.deliveries_at_once(at(0)), 512);
        commits.by(&busy, at(0));
        commits.by(&busy, at(10));
        assert_eq!(commits.deliveries_at_once(at(10)), 512, "it is alone");
        commits.by(&quiet, at(20));
        commits.by(&busy, at(30));
        assert_eq!((commits.deliveries_at_once(at(30)), commits.at_once(1, at(30))), (128, 1));
        commits.by(&busy, at(1_019));
        assert_eq!(commits.deliveries_at_once(at(1_019)), 128);
        commits.by(&busy, at(1_020));
        assert_eq!(commits.deliveries_at_once(at(1_020)), 512, "the other has not committed for a second");
    }
}
