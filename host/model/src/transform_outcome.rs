//! What a transform makes of a delivery.

use crate::{Attempt, Outcome, PluginFault, SentRequest};

/// What a transform made of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransformOutcome {
    /// This would be sent, or was.
    Request(SentRequest),
    /// The plugin decides to send nothing, for this reason.
    Skipped(String),
    /// The plugin fails.
    Failed(PluginFault),
}

impl TransformOutcome {
    /// What an attempt made; none if it made nothing.
    pub fn by(attempt: &Attempt) -> Option<Self> {
        match (&attempt.request, &attempt.outcome) {
            (Some(request), _) => Some(Self::Request(request.clone())),
            (None, Outcome::Skipped(reason)) => Some(Self::Skipped(reason.clone())),
            (None, Outcome::PluginFailed(fault)) => Some(Self::Failed(fault.clone())),
            (None, Outcome::Succeeded(_) | Outcome::Rejected(_) | Outcome::Unreachable(_)) => None,
        }
    }
}
