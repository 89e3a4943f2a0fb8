//! The stages: what happens to a delivery, one module each, each readable alone.
//!
//! They import the model and the engine's limits, and no stage knows another: [`crate::dispatch`] knows their order. All
//! but [`send`] are pure.

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
