//! Only benchmarks, in `benches/`: a crate of its own, so that a plain `cargo test` does not build criterion.
