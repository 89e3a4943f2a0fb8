//! Builds crates of this workspace into WebAssembly components, from the build script of a crate that carries them.
//!
//! One nested cargo builds them all: with the caller's own lock file, so that the same sources are used, and into a
//! target folder of its own under `OUT_DIR`, since the outer cargo holds the lock of the common one until its build
//! scripts have ended.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";

/// A plugin's stack, part of the memory that the host clears after each call; the linker's own choice is 1 MiB. JSON as
/// deep as any reader takes it needs a third of this.
const STACK_BYTES: usize = 128 << 10;

/// Builds these packages of the workspace and tells the caller's crate where their components are.
///
/// For the package `hookmill-zapier` the environment variable `HOOKMILL_ZAPIER_WASM` is set while the caller's crate
/// is compiled: `include_bytes!(env!("HOOKMILL_ZAPIER_WASM"))`. The build script runs again when a source of one of
/// the packages changes. To be called once, in a build script.
///
/// If it cannot be done, says why in cargo's own words for an error and ends the build script.
pub fn build(packages: &[&str]) {
    if let Err(reason) = try_build(packages) {
        for line in reason.lines() {
            println!("cargo::error={line}");
        }
        std::process::exit(1);
    }
}

fn try_build(packages: &[&str]) -> Result<(), String> {
    check_target()?;
    let target_dir = PathBuf::from(variable("OUT_DIR")?).join("plugins");
    run_cargo(packages, &target_dir)?;
    let mut watched = BTreeSet::new();
    for package in packages {
        let stem = package.replace('-', "_");
        let component = target_dir.join(TARGET).join("plugin").join(&stem).with_extension("wasm");
        println!("cargo::rustc-env={}_WASM={}", stem.to_uppercase(), component.display());
        watched.extend(sources(&component.with_extension("d"))?);
    }
    let manifests: Vec<_> = watched.iter().flat_map(|file| manifests_above(file)).collect();
    watched.extend(manifests);
    for file in &watched {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    Ok(())
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set: this runs in a build script"))
}

/// Says what to do when the target's standard library is missing; cargo's own message would be about `core`.
fn check_target() -> Result<(), String> {
    let rustc = variable("RUSTC")?;
    let output = Command::new(&rustc)
        .args(["--print=target-libdir", "--target", TARGET])
        .output()
        .map_err(|e| format!("running {}: {e}", rustc.display()))?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(folder.trim()).is_dir() {
        Ok(())
    } else {
        Err(format!("the plugins are compiled for {TARGET}, which is not installed\nrun: rustup target add {TARGET}"))
    }
}

fn run_cargo(packages: &[&str], target_dir: &Path) -> Result<(), String> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.args(["build", "--locked", "--target", TARGET, "--profile", "plugin"]).arg("--target-dir").arg(target_dir);
    for package in packages {
        cargo.args(["-p", package]);
    }
    // Flags and wrappers are meant for the outer build's target and its lints (clippy works as a wrapper); none of
    // them may change what a plugin is made of.
    cargo.env("RUSTFLAGS", format!("-C link-arg=-zstack-size={STACK_BYTES}")).env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("RUSTC_WRAPPER");
    let status = cargo.status().map_err(|e| format!("running cargo: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("building {} failed ({status})", packages.join(", "))) }
}

/// The files that a component was made from, as cargo lists them beside it: `component: file file`, a space within a
/// name escaped by a backslash. They include the WIT.
fn sources(list: &Path) -> Result<Vec<PathBuf>, String> {
    let text = std::fs::read_to_string(list).map_err(|e| format!("reading {}: {e}", list.display()))?;
    let (_, files) = text.split_once(": ").unwrap_or_default();
    let files = files.trim().replace("\\ ", "\0");
    Ok(files.split(' ').filter(|file| !file.is_empty()).map(|file| file.replace('\0', " ").into()).collect())
}

/// The manifests that apply to a file, its workspace's included, and the lock file beside that.
fn manifests_above(file: &Path) -> Vec<PathBuf> {
    let folders = file.ancestors().skip(1);
    folders.flat_map(|folder| [folder.join("Cargo.toml"), folder.join("Cargo.lock")]).filter(|f| f.is_file()).collect()
}
