//! The engine against healthy, rogue and impossible plugins.

mod compiling;
mod contract;
mod fixture;
mod fuzz;
mod refusals;
mod rogues;
mod secrets;
mod transforms;
