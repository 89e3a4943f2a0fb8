//! `hookmill plugin build`: builds a project's component.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::project::Project;
use super::style::{self, GOOD};
use super::toolchain;

/// The arguments of `plugin build`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project's folder, or a folder within it
    #[arg(default_value = ".")]
    path: PathBuf,
}

/// Builds, and prints the component's file and size.
pub(super) fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let project = Project::find(&args.path)?;
    let file = build(&project)?;
    let size = std::fs::metadata(&file).with_context(|| format!("reading {}", file.display()))?.len();
    if json {
        anstream::println!("{}", json!({"component": file, "size_bytes": size}));
    } else {
        anstream::println!("{GOOD}built{GOOD:#} {}, {}", shown(&file), style::bytes(size));
    }
    Ok(())
}

/// Builds the component into the project's build folder; returns its file.
pub(super) fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let file = project.component();
    let folder = file.parent().unwrap_or(&project.root);
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let _working = style::working(format!("building ({})", project.language.as_str()));
    toolchain::build(project, &file)?;
    Ok(file)
}

/// Returns a path relative to the working directory, if it is below it.
pub(super) fn shown(file: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    file.strip_prefix(here).unwrap_or(file).display().to_string()
}
