//! The engine against healthy, rogue and impossible plugins.

mod compiling;
mod fixture;
mod refusals;
mod rogues;
mod secrets;
mod transforms;
