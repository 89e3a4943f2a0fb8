//! The stages of a delivery, one module each, readable independently.
//!
//! They import the model and the engine's limits. No stage knows another, except that `record` asks `delay` when a retry is
//! due, and for shared readers and writers of values
//! (`encode`, `json`, `seal`); [`crate::dispatch`] knows the order. All but [`send`] are pure.

pub mod delay;
mod encode;
pub(crate) mod json;
pub mod matching;
pub mod record;
pub mod request;
pub mod seal;
pub mod select;
#[expect(clippy::disallowed_methods, reason = "the stage that sends to receivers, within the address policy")]
pub mod send;
pub mod shape;
pub mod sign;
