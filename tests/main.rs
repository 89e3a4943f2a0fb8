//! All integration tests, in one binary: it links once.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, missing_docs, unreachable_pub, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "tests are clients of the host, and date what receivers get")]

mod api;
mod architecture;
mod authors;
mod engine;
mod journeys;
mod model;
mod process;
mod profiles;
mod stages;
mod store;
mod support;
