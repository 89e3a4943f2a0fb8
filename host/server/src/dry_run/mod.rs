//! Dry runs: previews, comparisons, shadows and diagnoses. They use the stages as deliveries do and send nothing, except
//! for the one request with which a diagnosis probes an endpoint.

pub mod compare;
pub mod diagnose;
pub mod preview;
pub mod shadow;
