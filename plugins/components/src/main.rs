//! Rebuilds the committed components of the workspace, or checks them.

mod build;
mod process;
mod toolchain;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use hookmill_components::sources::{Record, Workspace, recorded, records_file};
use hookmill_components::{BUNDLED, COMPONENTS, Component, GUESTS, by_hand, description_file, digest, plugins};
use serde::Serialize;
use serde_json::{Map, Value};

use build::Builder;
use toolchain::Toolchain;

/// The contents of files, by their path from the workspace's root.
type Files = BTreeMap<String, Vec<u8>>;

const USAGE: &str = "\
Rebuilds the committed components from their sources.

Usage: cargo components [--check] [NAME]...

  --check  Build in a temporary folder and compare, instead of writing
  NAME     Only these components, such as `zapier`

`plugins/javascript/build.sh` builds the component of `javascript`; this updates the digest in its description.";

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
    let root = Path::new(&manifest_dir).ancestors().nth(2).context("the workspace's root is not two folders above")?;
    let target_dir = target_dir()?;
    if check {
        let temporary = tempfile::tempdir_in(&target_dir).context("making a temporary folder")?;
        compare(root, &make(root, temporary.path(), &names)?)
    } else {
        write(root, &make(root, &target_dir, &names)?)
    }
}

/// Returns the folder for builds, next to this program.
fn target_dir() -> Result<PathBuf> {
    let folder = env::current_exe().context("finding this program")?.with_file_name("components");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok(folder)
}

/// Makes the files of these components, or of all if no name is given.
fn make(root: &Path, target_dir: &Path, names: &[String]) -> Result<Files> {
    let by_hand = by_hand::components(root)?;
    let built = COMPONENTS.iter().map(|component| component.name);
    let known: Vec<_> = built.chain(by_hand.iter().map(|(name, _)| *name)).chain(["javascript"]).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("unknown component `{name}`: expected one of {}", known.join(", "));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);

    let mut files = Files::new();
    let components: Vec<_> = COMPONENTS.iter().filter(|component| wanted(component.name)).collect();
    if !components.is_empty() {
        build(root, target_dir, &components, &mut files)?;
    }
    for (name, component) in by_hand.into_iter().filter(|(name, _)| wanted(name)) {
        files.insert(format!("{GUESTS}/{name}.wasm"), component);
    }
    for (name, file) in plugins().filter(|(name, _)| wanted(name)) {
        let component = match files.get(&file) {
            Some(component) => component.clone(),
            None => fs::read(root.join(&file)).with_context(|| format!("reading {file}"))?,
        };
        files.insert(description_file(name), described(root, name, &component)?);
    }
    Ok(files)
}

/// Returns a plugin's description with the digest of this component. Its other members are what the component's
/// `describe` returns, which takes the host's engine: a test of the host compares them.
fn described(root: &Path, plugin: &str, component: &[u8]) -> Result<Vec<u8>> {
    let file = description_file(plugin);
    let mut description = match fs::read(root.join(&file)) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| format!("parsing {file}"))?,
        Err(error) if error.kind() == ErrorKind::NotFound => Map::<String, Value>::new(),
        Err(error) => return Err(error).with_context(|| format!("reading {file}")),
    };
    description.insert("digest".to_owned(), digest(component).into());
    json(&description)
}

/// Returns a value as the text of a file.
fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    Ok((serde_json::to_string_pretty(value).context("writing JSON")? + "\n").into())
}

/// Builds these components, and records the digests of their sources.
fn build(root: &Path, target_dir: &Path, components: &[&Component], files: &mut Files) -> Result<()> {
    let builder = Builder::new(root, target_dir, &Toolchain::prepare(root)?)?;
    let workspace = Workspace::read(root)?;
    let mut records = BTreeMap::from([(BUNDLED, recorded(root, BUNDLED)?), (GUESTS, recorded(root, GUESTS)?)]);
    for component in components {
        let sources = workspace.digest(component.package)?;
        let made = builder.build(&workspace, component)?;
        let record = Record { sources, component: digest(&made) };
        records.entry(component.folder).or_default().insert(component.name.to_owned(), record);
        files.insert(component.file(), made);
    }
    for (folder, records) in records {
        files.insert(records_file(folder), json(&records)?);
    }
    Ok(())
}

fn write(root: &Path, files: &Files) -> Result<()> {
    for (name, content) in files {
        fs::write(root.join(name), content).with_context(|| format!("writing {name}"))?;
        println!("{name}: {} bytes", content.len());
    }
    Ok(())
}

fn compare(root: &Path, files: &Files) -> Result<()> {
    let differs = |name: &&String| fs::read(root.join(name)).ok().as_ref() != Some(&files[*name]);
    let different: Vec<_> = files.keys().filter(differs).map(String::as_str).collect();
    if different.is_empty() {
        println!("all {} files match their sources", files.len());
        return Ok(());
    }
    bail!("these files do not match their sources:\n{}\nrun: cargo components", different.join("\n"))
}
