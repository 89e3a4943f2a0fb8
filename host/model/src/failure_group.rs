//! A group of failures: the failed deliveries of one subscription that are reported together.
//!
//! A group is opened by the first failure and ended by a success. It is reported some time after its first unreported
//! failure (the window), and then quiet for a while. A group that has ended is kept until then, so that a receiver that
//! fails now and then does not cause a message each time.

use jiff::{SignedDuration, Timestamp};

use super::{DeliveryId, Failures};

/// The shortest time between two messages about one subscription, unless it is activated again.
const QUIET_MIN: SignedDuration = SignedDuration::from_hours(1);

/// The failures of one subscription, with what has been reported of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureGroup {
    /// The failures.
    pub failures: Failures,
    /// When the first unreported one failed; none if all are reported.
    pub unreported_since: Option<Timestamp>,
    /// How long nothing more is reported.
    pub quiet: Quiet,
    /// Whether a delivery has succeeded since the last failure.
    pub ended: bool,
}

/// How long a group is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// Until then; [`Timestamp::UNIX_EPOCH`] before the first report.
    Until(Timestamp),
    /// Until a success: the failures were reported with a pause.
    UntilSuccess,
}

impl FailureGroup {
    /// Opens a group with its first failure.
    pub fn open(at: Timestamp, reason: Option<String>, delivery: DeliveryId) -> Self {
        let failures = Failures { count: 1, first_at: at, last_at: at, last_reason: reason, last_delivery: delivery };
        Self { failures, unreported_since: Some(at), quiet: Quiet::Until(Timestamp::UNIX_EPOCH), ended: false }
    }

    /// Adds a failure. If the group has ended and is reported, its count starts again; it stays quiet.
    #[must_use]
    pub fn fail(self, at: Timestamp, reason: Option<String>, delivery: DeliveryId) -> Self {
        if self.ended && self.unreported_since.is_none() {
            return Self { quiet: self.quiet, ..Self::open(at, reason, delivery) };
        }
        let failures = Failures {
            count: self.failures.count.saturating_add(1),
            first_at: self.failures.first_at,
            last_at: self.failures.last_at.max(at),
            last_reason: reason,
            last_delivery: delivery,
        };
        Self { failures, unreported_since: self.unreported_since.or(Some(at)), quiet: self.quiet, ended: false }
    }

    /// Ends the group with a success. None if nothing of it needs to be kept.
    #[must_use]
    pub fn succeed(self) -> Option<Self> {
        let Quiet::Until(until) = self.quiet else { return None };
        let quiet = Quiet::Until(until.min(after(self.failures.last_at, QUIET_MIN)));
        Some(Self { quiet, ended: true, ..self })
    }

    /// When the group is to be reported; none if all is reported, or it is quiet until a success.
    pub fn due_at(&self, window: SignedDuration) -> Option<Timestamp> {
        match (self.unreported_since, self.quiet) {
            (Some(since), Quiet::Until(until)) => Some(after(since, window).max(until)),
            (None, _) | (_, Quiet::UntilSuccess) => None,
        }
    }

    /// Marks the failures as reported at `now`. A group that has ended is quiet for a shorter time.
    #[must_use]
    pub fn reported(self, now: Timestamp, quiet_until: Timestamp) -> Self {
        let until = if self.ended { quiet_until.min(after(now, QUIET_MIN)) } else { quiet_until };
        Self { unreported_since: None, quiet: Quiet::Until(until), ..self }
    }

    /// Marks the failures as reported with a pause: what was in flight then and fails later is nothing new.
    #[must_use]
    pub fn reported_with_pause(self) -> Self {
        Self { unreported_since: None, quiet: Quiet::UntilSuccess, ..self }
    }
}

fn after(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}
