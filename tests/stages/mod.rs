//! Each stage alone: pure functions, and sending over real sockets.

mod address;
mod condition_budget;
mod connections;
mod delay;
mod fuzz;
mod fuzz_programs;
mod matching;
mod record;
mod resolve;
mod schemes;
mod select;
mod send;
mod shape;
mod sign;
mod tls;
