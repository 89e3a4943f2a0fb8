//! `hookmill openapi`: prints the description of the HTTP API.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;

/// Prints the description as indented JSON. No host runs for it.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let text = serde_json::to_string_pretty(&hookmill_api::document())?;
    writeln!(anstream::stdout(), "{text}").context("writing to standard output")?;
    Ok(ExitCode::SUCCESS)
}
