//! The contract's types and functions as Rust sees them, one module for each major version of `wit/`.
//!
//! A version's module is the only place that knows its types; everything else speaks in the model's. Within a major
//! version the contract only grows, so the bindings of its latest serve components that were built against an earlier
//! one. The next major version gets a module beside the older ones, which stay.

pub(super) mod v1;
