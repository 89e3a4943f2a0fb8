//! The contract's types and functions as Rust sees them, one module for each version of `wit/`.
//!
//! A version's module is the only place that knows its types; everything else speaks in the model's. A later version
//! gets a module beside the older ones, which stay.

pub(super) mod v1_0_0;
