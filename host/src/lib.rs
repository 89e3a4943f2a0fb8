//! Hookmill: a WebAssembly plugin host for webhook payloads.
#![forbid(unsafe_code)]

pub mod clock;
pub mod config;
pub mod model;
pub mod send;
pub mod sign;
pub mod store;
pub mod transform;
