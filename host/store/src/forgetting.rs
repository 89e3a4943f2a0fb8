//! What forgetting by age and size, and erasing, ask and answer.

use jiff::Timestamp;

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
