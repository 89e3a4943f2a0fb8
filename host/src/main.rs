//! The `hookmill` binary: arguments, a configuration, signals; the rest is the library's.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// A delivery takes and gives back hundreds of small pieces of memory, on several threads: of a profile of the host under
/// load, a sixth was the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hookmill::cli::main()
}
