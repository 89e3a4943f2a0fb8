//! The engine against healthy, rogue and impossible plugins.

mod compiling;
mod fixture;
mod refusals;
mod rogues;
mod transforms;
