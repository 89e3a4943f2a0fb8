//! The toolchain of `rust-toolchain.toml`, with the target that components are built for.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use hookmill_components::sources::{TARGET, channel};

use crate::process;

/// Time limit of a query to rustc.
const ANSWER: Duration = Duration::from_secs(20);

/// Time limit of the download of the target's standard library, some 20 MB.
const DOWNLOAD: Duration = Duration::from_secs(180);

/// Time limit of the download server's response.
const RESPONSE_S: &str = "10";

/// The compiler of the workspace.
#[derive(Debug)]
pub(crate) struct Toolchain {
    /// Where it is installed.
    pub(crate) sysroot: PathBuf,
    /// The commit that it was built from.
    pub(crate) commit: String,
}

impl Toolchain {
    /// Finds the toolchain, and adds the target to it if it is not installed.
    ///
    /// # Errors
    /// If `rustc` is of another version, or the target cannot be added; states the command to run.
    pub(crate) fn prepare(root: &Path) -> Result<Self> {
        let rustc = |args: &[&str]| process::output(tool(root, "rustc").args(args), ANSWER);
        let version = rustc(&["--version", "--verbose"])?;
        let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let commit = field("commit-hash: ").context("rustc does not print its commit")?;
        let release = field("release: ").context("rustc does not print its release")?;
        let channel = channel(root)?;
        ensure!(
            release == channel,
            "components are built with Rust {channel}, and `rustc` is {release}: install rustup, see https://rustup.rs"
        );
        let libraries = rustc(&["--print=target-libdir", "--target", TARGET])?;
        if !Path::new(libraries.trim()).is_dir() {
            add_target(root)?;
        }
        Ok(Self { sysroot: rustc(&["--print=sysroot"])?.trim().into(), commit })
    }
}

fn add_target(root: &Path) -> Result<()> {
    println!("adding the target {TARGET}");
    let mut rustup = tool(root, "rustup");
    rustup.args(["target", "add", TARGET]).env("RUSTUP_DOWNLOAD_TIMEOUT", RESPONSE_S).env("RUSTUP_MAX_RETRIES", "1");
    if let Err(error) = process::run(&mut rustup, DOWNLOAD) {
        bail!(
            "components are built for {TARGET}, which is not installed and could not be added: {error:#}\n\
             run: rustup target add {TARGET} (rustup: https://rustup.rs)"
        );
    }
    Ok(())
}

/// Returns a command of the toolchain that `rust-toolchain.toml` names, to be run in the workspace's root.
///
/// Without environment variables that change what it builds, or select another toolchain.
pub(crate) fn tool(root: &Path, program: &str) -> Command {
    const REMOVED: [&str; 8] = [
        "CARGO_BUILD_",
        "CARGO_ENCODED_",
        "CARGO_INCREMENTAL",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_UNSTABLE_",
        "RUSTC",
        "RUSTFLAGS",
    ];
    let mut command = Command::new(program);
    command.current_dir(root).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| REMOVED.iter().any(|removed| name.starts_with(removed))) {
            command.env_remove(name);
        }
    }
    command
}
