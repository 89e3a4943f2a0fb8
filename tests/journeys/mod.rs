//! The whole host in the test process: real API, real sockets, a clock that the test moves.

mod batching;
mod conditions;
mod diagnose;
mod erasure;
mod folder;
mod handshakes;
pub(crate) mod import;
mod neighbors;
mod notify;
mod oci;
mod pipeline;
mod preparing;
mod preview;
mod quotas;
mod rates;
mod recipes;
mod replay;
mod retention;
mod rogues;
mod schemas;
mod sealed;
mod shadow;
mod signature;
mod slices;
mod triggers;
mod versions;
