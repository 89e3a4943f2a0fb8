//! What would happen: previews, comparisons, shadows and diagnoses. They use the stages as delivering does and send
//! nothing, but for the one request that a diagnosis asks an endpoint.

pub mod compare;
pub mod diagnose;
pub mod preview;
pub mod shadow;
