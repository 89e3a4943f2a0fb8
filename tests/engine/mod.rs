//! The engine against healthy, rogue and impossible plugins.

mod compiling;
mod contract;
mod determinism;
mod fixture;
mod fuzz;
mod golden;
mod refusals;
mod rogues;
mod secrets;
mod transforms;
mod turns;
