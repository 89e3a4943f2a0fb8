//! `hookmill check-schema`: checks a schema, or a value against one, from standard input, and writes the answer to standard
//! output.
//!
//! An internal command: the host starts it, so that a schema that asks for endless work ends with its process.

use std::process::ExitCode;

use anyhow::Context as _;
use hookmill_server::plugins::schema::Task;

/// The limits that the process sets for itself.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Seconds of CPU time
    seconds: u64,
    /// Bytes of address space
    memory_bytes: u64,
}

/// Checks.
///
/// # Errors
/// If the limits or the pipes fail.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    crate::compile::limit(args.seconds, args.memory_bytes)?;
    let task: Task = serde_json::from_reader(std::io::stdin().lock()).context("reading the task")?;
    serde_json::to_writer(std::io::stdout().lock(), &task.run()).context("writing the answer")?;
    Ok(ExitCode::SUCCESS)
}
