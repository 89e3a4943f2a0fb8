//! `hookmill plugin build`: a component out of a project.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::project::Project;
use super::style::{self, GOOD};
use super::toolchain;

/// What `plugin build` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project's folder, or one within it
    #[arg(default_value = ".")]
    path: PathBuf,
}

/// Builds.
pub(super) fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let project = Project::find(&args.path)?;
    let file = build(&project)?;
    let size = std::fs::metadata(&file).with_context(|| format!("looking at {}", file.display()))?.len();
    if json {
        anstream::println!("{}", json!({"component": file, "size_bytes": size}));
    } else {
        anstream::println!("{GOOD}built{GOOD:#} {}, {}", shown(&file), style::bytes(size));
    }
    Ok(())
}

/// Builds the component and puts it where it belongs.
pub(super) fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let file = project.component();
    let folder = file.parent().unwrap_or(&project.root);
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let _working = style::working(format!("building ({})", project.language.as_str()));
    toolchain::build(project, &file)?;
    Ok(file)
}

/// A path as it is typed from here.
pub(super) fn shown(file: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    file.strip_prefix(here).unwrap_or(file).display().to_string()
}
