//! The `hookmill` binary: arguments, a configuration, signals; the rest is the library's.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hookmill::cli::main()
}
