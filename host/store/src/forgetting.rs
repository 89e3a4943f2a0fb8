//! The store's operations of retention and erasure, with their parameters and results.

use async_trait::async_trait;
use hookmill_model::{Erasure, ErasureId, ErasureTarget, SpaceId, SubscriptionId};
use jiff::Timestamp;

use super::StoreError;

/// What is to be forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Expired {
    /// Events that were accepted before this time; all if none.
    pub accepted_before: Option<Timestamp>,
    /// Their deliveries that ended before this time.
    pub ended_before: Timestamp,
    /// At least so many bytes of them, if there are as many; all if none.
    pub bytes: Option<u64>,
}

/// Where forgetting goes on: an event, and which of its deliveries. The default is the oldest event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The key of the event.
    pub(crate) event: i64,
    /// Whether its later deliveries are next.
    pub(crate) later: bool,
    /// The key of the delivery that was last.
    pub(crate) delivery: i64,
}

/// The result of a step of forgetting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Events that were deleted.
    pub events: usize,
    /// Deliveries that were deleted.
    pub deliveries: usize,
    /// Where the next step goes on; none at the end.
    pub next: Option<Place>,
}

/// The result of a step of an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasureStep {
    /// There is more to delete.
    More,
    /// The next delivery is being sent at this moment.
    InFlight,
    /// No row is left: what rows left in the file is next.
    Erased,
}

/// The deletion of history: by age and size, and at a caller's request.
#[async_trait]
pub trait ForgetStore: Send + Sync + 'static {
    /// Deletes up to `limit` of a subscription's final deliveries, with their attempts, that ended before `before`, oldest
    /// first; returns how many.
    async fn forget(&self, subscription: SubscriptionId, before: Timestamp, limit: usize) -> Result<usize, StoreError>;
    /// Deletes what has expired of a space, the oldest first, from a place on: deliveries with their attempts, and events
    /// without deliveries: about `limit` rows.
    async fn forget_events(
        &self,
        space: &SpaceId,
        expired: Expired,
        from: Place,
        limit: usize,
    ) -> Result<Forgotten, StoreError>;
    /// Sums the counts of minutes before one time up to those of their hours, and deletes those before another time: of so many
    /// spaces and subscriptions after one of them, of which the first is after 0. Returns the last, or none at the end.
    async fn sum_up_counts(
        &self,
        after: i64,
        minutes_before: Timestamp,
        all_before: Timestamp,
        limit: usize,
    ) -> Result<Option<i64>, StoreError>;

    // Erasures: what is deleted at a caller's request, and cannot be read back.

    /// Begins an erasure; none if its target does not exist. If the target is a space, only the erasure sees it from then on, and
    /// its keys are deleted.
    async fn begin_erasure(
        &self,
        space: &SpaceId,
        target: ErasureTarget,
        now: Timestamp,
    ) -> Result<Option<Erasure>, StoreError>;
    /// Returns an erasure.
    async fn erasure(&self, id: ErasureId) -> Result<Option<Erasure>, StoreError>;
    /// Returns the erasures of a space before `before`, newest first.
    async fn erasures(
        &self,
        space: &SpaceId,
        before: Option<ErasureId>,
        limit: usize,
    ) -> Result<Vec<Erasure>, StoreError>;
    /// Returns the erasures that are not done, oldest first.
    async fn unfinished_erasures(&self) -> Result<Vec<Erasure>, StoreError>;
    /// Deletes the next rows of an erasure, about `limit`. A space's subscriptions must be deleted before.
    async fn step_erasure(&self, erasure: &Erasure, now: Timestamp, limit: usize) -> Result<ErasureStep, StoreError>;
    /// Overwrites what deleted rows left in so many pages of the file from one on, of which the first is 1; returns the page
    /// that is next, or none at the end.
    async fn clean_pages(&self, from: u32, count: u32) -> Result<Option<u32>, StoreError>;
    /// Empties the log, which has deleted rows, too. False if somebody is reading it: try again.
    async fn empty_log(&self) -> Result<bool, StoreError>;
    /// Ends an erasure of which nothing is left.
    async fn finish_erasure(&self, id: ErasureId, now: Timestamp) -> Result<(), StoreError>;

    /// Returns the bytes that a space stores: of its events' data, and of its attempts' headers, bodies and logs. They are
    /// kept in memory, and cost no query.
    fn stored_bytes(&self, space: &SpaceId) -> u64;
    /// Returns the same of every space that stores some.
    fn all_stored_bytes(&self) -> Vec<(SpaceId, u64)>;
}
