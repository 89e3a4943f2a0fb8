//! `hookmill compile`: compiles one component from standard input, and writes the artifact to standard output.
//!
//! An internal command: the engine starts it, so that the compiler runs in a process that may crash. It limits itself before
//! it reads a byte, and shares nothing with the host but these two pipes.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use hookmill_engine::{REFUSED, precompile};
use rlimit::Resource;

/// The limits that the process sets for itself.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Seconds of CPU time
    seconds: u64,
    /// Bytes of address space
    memory_bytes: u64,
}

/// Compiles.
///
/// # Errors
/// If the limits or the pipes fail. A component that does not compile is reported by the exit code.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    limit(args.seconds, args.memory_bytes)?;
    let mut component = Vec::new();
    std::io::stdin().lock().read_to_end(&mut component).context("reading the component")?;
    match precompile(&component)? {
        Ok(artifact) => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&artifact).and_then(|()| stdout.flush()).context("writing the artifact")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            std::io::stderr().write_all(reason.as_bytes()).context("writing the reason")?;
            Ok(ExitCode::from(REFUSED))
        }
    }
}

/// Limits this process for the rest of its life.
pub(super) fn limit(seconds: u64, memory_bytes: u64) -> anyhow::Result<()> {
    // The soft limit sends a signal that names the cause, the hard one kills a second later.
    rlimit::setrlimit(Resource::CPU, seconds, seconds + 1).context("limiting CPU time")?;
    rlimit::setrlimit(Resource::AS, memory_bytes, memory_bytes).context("limiting memory")?;
    // A compromised compiler writes no file, and a crash leaves no image of what was compiled.
    rlimit::setrlimit(Resource::FSIZE, 0, 0).context("forbidding files")?;
    rlimit::setrlimit(Resource::CORE, 0, 0).context("forbidding a core dump")
}
