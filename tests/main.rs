//! All integration tests, in one binary: it links once.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, missing_docs, unreachable_pub, reason = "tests")]

mod address;
mod api;
mod authors;
mod batching;
mod breakcold;
mod crash;
mod delay;
mod diagnose;
mod engine;
mod folder;
mod golden;
mod handshakes;
mod import;
mod import_e2e;
mod leadsquared;
mod livespace;
mod matching;
mod notify;
mod pipeline;
mod profiles;
mod recipes;
mod record;
mod rogues;
mod rules;
mod schemes;
mod sealed;
mod select;
mod send;
mod shape;
mod sign;
mod signature;
mod store;
mod support;
mod tls;
mod triggers;
