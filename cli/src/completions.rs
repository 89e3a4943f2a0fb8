//! `hookmill completions`: what a shell completes.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

const AFTER_HELP: &str = "\
  hookmill completions bash >~/.local/share/bash-completion/completions/hookmill
  hookmill completions zsh >~/.zfunc/_hookmill            with ~/.zfunc in fpath, before compinit
  hookmill completions fish >~/.config/fish/completions/hookmill.fish";

/// The arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The shell
    #[arg(value_parser = clap::builder::EnumValueParser::<Shell>::new())]
    shell: Shell,
}

/// Prints the completions.
///
/// # Errors
/// If they cannot be written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "hookmill", &mut text);
    std::io::Write::write_all(&mut std::io::stdout(), &text).context("writing to standard output")?;
    Ok(ExitCode::SUCCESS)
}
