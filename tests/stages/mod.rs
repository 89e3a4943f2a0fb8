//! Each stage alone: pure functions, and sending over real sockets.

mod address;
mod condition_budget;
mod delay;
mod fuzz;
mod matching;
mod record;
mod schemes;
mod select;
mod send;
mod shape;
mod sign;
mod tls;
