//! Rust bindings of the contract's types and functions, one module for each major version of `wit/`.
//!
//! Only a version's module knows its types; everything else uses the model's. Within a major version the contract only
//! grows, so the bindings of its latest version also serve components that were built against an earlier one. The next
//! major version gets its own module next to the older ones, which stay.

pub(super) mod v1;
