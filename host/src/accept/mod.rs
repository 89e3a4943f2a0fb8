//! Accept: the HTTP API.

pub mod intake;
