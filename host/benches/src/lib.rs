//! Benchmarks, in `benches/`: a separate crate, so that `cargo test` does not build criterion.
