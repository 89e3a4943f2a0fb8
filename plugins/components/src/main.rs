//! Rebuilds the committed components of the workspace, or checks them.

mod build;
mod process;
mod toolchain;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use hookmill_components::sources::{Record, Workspace, recorded, records_file};
use hookmill_components::{COMPONENTS, GUESTS, by_hand, digest};

use build::Builder;
use toolchain::Toolchain;

const USAGE: &str = "\
Rebuilds the committed components from their sources.

Usage: cargo components [--check] [NAME]...

  --check  Build in a temporary folder and compare, instead of writing
  NAME     Only these components, such as `zapier`";

fn main() -> Result<()> {
    let mut names = vec![];
    let mut check = false;
    for arg in env::args().skip(1) {
        match arg.as_str() {
            "--check" => check = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            _ => names.push(arg),
        }
    }
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo components`")?;
    let root = Path::new(&manifest_dir).ancestors().nth(2).context("the workspace is two folders above")?;
    let target_dir = target_dir()?;
    if check {
        let temporary = tempfile::tempdir_in(&target_dir).context("making a temporary folder")?;
        compare(root, &make(root, temporary.path(), &names)?)
    } else {
        write(root, &make(root, &target_dir, &names)?)
    }
}

/// The folder for builds: next to this program, apart from cargo's own.
fn target_dir() -> Result<PathBuf> {
    let folder = env::current_exe().context("finding this program")?.with_file_name("components");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok(folder)
}

/// Makes the files of these components; of all if none is named.
fn make(root: &Path, target_dir: &Path, names: &[String]) -> Result<BTreeMap<String, Vec<u8>>> {
    let by_hand = by_hand::components(root)?;
    let known: Vec<_> = COMPONENTS.iter().map(|c| c.name).chain(by_hand.iter().map(|(name, _)| *name)).collect();
    for name in names {
        ensure!(name != "javascript", "javascript is built by plugins/javascript/build.sh");
        ensure!(known.contains(&name.as_str()), "unknown component `{name}`: expected one of {}", known.join(", "));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
    let mut files = BTreeMap::new();
    for (name, component) in by_hand.into_iter().filter(|(name, _)| wanted(name)) {
        files.insert(format!("{GUESTS}/{name}.wasm"), component);
    }
    let components: Vec<_> = COMPONENTS.iter().filter(|component| wanted(component.name)).collect();
    if components.is_empty() {
        return Ok(files);
    }
    let workspace = Workspace::read(root)?;
    let builder = Builder::new(root, target_dir, &Toolchain::prepare(root)?)?;
    let mut records = BTreeMap::new();
    for component in components {
        let sources = workspace.digest(component.package)?;
        let made = builder.build(&workspace, component)?;
        if !records.contains_key(component.folder) {
            records.insert(component.folder, recorded(root, component.folder)?);
        }
        let record = Record { sources, component: digest(&made) };
        records.entry(component.folder).or_default().insert(component.name.to_owned(), record);
        files.insert(component.file(), made);
    }
    for (folder, records) in records {
        let text = serde_json::to_string_pretty(&records).context("records are JSON")?;
        files.insert(records_file(folder), (text + "\n").into());
    }
    Ok(files)
}

fn write(root: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    for (name, content) in files {
        fs::write(root.join(name), content).with_context(|| format!("writing {name}"))?;
        println!("{name}: {} bytes", content.len());
    }
    Ok(())
}

fn compare(root: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let differs = |name: &&String| fs::read(root.join(name)).ok().as_ref() != Some(&files[*name]);
    let different: Vec<_> = files.keys().filter(differs).map(String::as_str).collect();
    if different.is_empty() {
        println!("all {} files are what their sources give", files.len());
        return Ok(());
    }
    bail!("these files are not what their sources give:\n{}\nrun: cargo components", different.join("\n"))
}
