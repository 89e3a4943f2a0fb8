//! `hookmill compile`: one component from standard input, its artefact to standard output.
//!
//! Not for people: the engine starts it, to have the compiler in a process that may die. It limits itself before it
//! reads a byte, and shares nothing with the host but these two pipes.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use rlimit::Resource;

use hookmill_engine::{REFUSED, precompile};

/// The limits that the process puts on itself.
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
/// If the limits or the pipes fail. A component that does not compile is no error but a status.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    limit(args.seconds, args.memory_bytes)?;
    let mut component = Vec::new();
    std::io::stdin().lock().read_to_end(&mut component).context("reading the component")?;
    match precompile(&component)? {
        Ok(artefact) => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&artefact).and_then(|()| stdout.flush()).context("writing the artefact")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            std::io::stderr().write_all(reason.as_bytes()).context("writing the reason")?;
            Ok(ExitCode::from(REFUSED))
        }
    }
}

/// Bounds this process for the rest of its life.
fn limit(seconds: u64, memory_bytes: u64) -> anyhow::Result<()> {
    // The soft limit is a signal that names the cause, the hard one a second later leaves no choice.
    rlimit::setrlimit(Resource::CPU, seconds, seconds + 1).context("limiting CPU time")?;
    rlimit::setrlimit(Resource::AS, memory_bytes, memory_bytes).context("limiting memory")?;
    // A compiler that is tricked writes no file, and a crash leaves no image of what was compiled.
    rlimit::setrlimit(Resource::FSIZE, 0, 0).context("forbidding files")?;
    rlimit::setrlimit(Resource::CORE, 0, 0).context("forbidding a core dump")
}
