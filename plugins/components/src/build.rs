//! Builds a component: the same bytes in every folder and on every machine.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hookmill_components::Component;
use hookmill_components::sources::{FLAGS, PROFILE, TARGET, Workspace};

use crate::process;
use crate::toolchain::{Toolchain, tool};

/// Time limit of the download of all packages.
const FETCH: Duration = Duration::from_secs(300);

/// Time limit of the build of one component with all that it depends on.
const BUILD: Duration = Duration::from_secs(900);

/// Builds components.
pub(crate) struct Builder<'a> {
    root: &'a Path,
    target_dir: &'a Path,
    flags: String,
}

impl<'a> Builder<'a> {
    /// Downloads the dependencies of the workspace's packages. Builds are made in `target_dir`.
    pub(crate) fn new(root: &'a Path, target_dir: &'a Path, toolchain: &Toolchain) -> Result<Self> {
        process::run(tool(root, "cargo").args(["fetch", "--locked", "--target", TARGET]), FETCH)?;
        let mut flags: Vec<_> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
        let mut remap = |from: &Path, to: &str| flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        remap(root, "/hookmill");
        remap(target_dir, "/target");
        for registry in registries()? {
            remap(&registry, "/crates");
        }
        // With the component rust-src installed, rustc replaces these virtual paths of the standard library with local ones.
        let library = toolchain.sysroot.join("lib/rustlib/src/rust");
        remap(&library, &format!("/rustc/{}", toolchain.commit));
        Ok(Self { root, target_dir, flags: flags.join("\x1f") })
    }

    /// Builds one component.
    ///
    /// Separately, since cargo unifies the features of packages that are built together: the bytes would depend on the
    /// other packages.
    pub(crate) fn build(&self, workspace: &Workspace<'_>, component: &Component) -> Result<Vec<u8>> {
        let mut cargo = tool(self.root, "cargo");
        cargo.args(["build", "--locked", "--target", TARGET, "--profile", PROFILE, "--package", component.package]);
        cargo.arg("--target-dir").arg(self.target_dir).env("CARGO_ENCODED_RUSTFLAGS", &self.flags);
        process::run(&mut cargo, BUILD)?;
        let stem = component.package.replace('-', "_");
        let file = self.target_dir.join(TARGET).join(PROFILE).join(stem).with_extension("wasm");
        let covered = workspace.files(component.package)?;
        for source in sources(&file.with_extension("d"))? {
            let Ok(source) = source.strip_prefix(self.root) else { continue };
            ensure!(
                covered.contains(&*source.to_string_lossy()),
                "the digest of {}'s sources leaves out {}",
                component.package,
                source.display()
            );
        }
        fs::read(&file).with_context(|| format!("reading {}", file.display()))
    }
}

/// Returns the folders that cargo unpacks the packages of registries in.
fn registries() -> Result<Vec<PathBuf>> {
    let default = || Some(env::home_dir()?.join(".cargo"));
    let cargo_home =
        env::var_os("CARGO_HOME").map(PathBuf::from).or_else(default).context("there is no home folder")?;
    let folder = cargo_home.join("registry/src");
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// Returns the files that a component was built from, as cargo lists them next to it: `component: file file`, with a
/// backslash before a space in a name.
fn sources(list: &Path) -> Result<BTreeSet<PathBuf>> {
    let text = fs::read_to_string(list).with_context(|| format!("reading {}", list.display()))?;
    let (_, files) = text.split_once(": ").unwrap_or_default();
    let files = files.trim().replace("\\ ", "\0");
    Ok(files.split(' ').filter(|file| !file.is_empty()).map(|file| file.replace('\0', " ").into()).collect())
}
