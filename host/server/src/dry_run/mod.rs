//! Dry runs: previews, comparisons, shadows, diagnoses and matches. They use the stages as deliveries do and send nothing, except
//! for the one request with which a diagnosis probes an endpoint.

pub mod compare;
pub mod diagnose;
pub mod matches;
pub mod preview;
mod reason;
pub mod shadow;
pub mod signed;
