//! The result of transforming a delivery.

use crate::{Attempt, Outcome, PluginFault, SentRequest};

/// The result of transforming a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransformOutcome {
    /// The request that would be sent, or was sent.
    Request(SentRequest),
    /// The plugin decided to send nothing, for this reason.
    Skipped(String),
    /// The plugin failed.
    Failed(PluginFault),
}

impl TransformOutcome {
    /// Returns the result of an attempt's transform; none if it had none.
    pub fn by(attempt: &Attempt) -> Option<Self> {
        match (&attempt.request, &attempt.outcome) {
            (Some(request), _) => Some(Self::Request(request.clone())),
            (None, Outcome::Skipped(reason)) => Some(Self::Skipped(reason.clone())),
            (None, Outcome::PluginFailed(fault)) => Some(Self::Failed(fault.clone())),
            (None, Outcome::Succeeded(_) | Outcome::Rejected(_) | Outcome::Unreachable(_)) => None,
        }
    }
}
