//! The digest of everything that a component is built from.
//!
//! It covers each package of the workspace that the component's package depends on (`Cargo.toml`, `build.rs`, `src`),
//! the contract (`wit`), the name, version and checksum of each package of a registry in `Cargo.lock` that it depends
//! on, the version of Rust, the compiler's flags, and the settings of the workspace that the compiler gets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use crate::{read, written};

/// The cargo profile that components are built with.
pub const PROFILE: &str = "plugin";

/// The target that components are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// Flags for the compiler, apart from those that remove the machine's paths.
///
/// The stack is part of the memory that the host clears after each call; the linker's default is 1 MiB. JSON of the
/// greatest depth that any reader accepts needs a third of these 128 KiB.
pub const FLAGS: &[&str] = &["-Clink-arg=-zstack-size=131072"];

const RECORDS: &str = "sources.json";

/// The record of a component's last build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The digest of its sources.
    pub sources: String,
    /// The digest of the component.
    pub component: String,
}

/// The records of a folder of components, by name.
pub type Records = BTreeMap<String, Record>;

/// Returns the file of the records of a folder, from the workspace's root.
pub fn records_file(folder: &str) -> String {
    format!("{folder}/{RECORDS}")
}

/// Returns the records of a folder of components; none if it has no file of records yet.
///
/// # Errors
/// If the file cannot be read or parsed.
pub fn recorded(root: &Path, folder: &str) -> Result<Records> {
    let file = records_file(folder);
    if !root.join(&file).exists() {
        return Ok(Records::new());
    }
    serde_json::from_slice(&read(root, &file)?).with_context(|| format!("parsing {file}"))
}

/// Returns the version of Rust in `rust-toolchain.toml`.
///
/// # Errors
/// If the file cannot be read or parsed.
pub fn channel(root: &Path) -> Result<String> {
    let toolchain: Table = parse(root, "rust-toolchain.toml")?;
    toolchain["toolchain"]["channel"].as_str().map(str::to_owned).context("the channel is a string")
}

/// The workspace's settings and packages, as far as components depend on them.
#[derive(Debug)]
pub struct Workspace<'a> {
    root: &'a Path,
    /// The folders of its packages by name, from the root.
    folders: BTreeMap<String, String>,
    locked: Vec<Locked>,
    /// The version of Rust and the settings in the workspace's manifest.
    settings: BTreeSet<String>,
}

/// A package in `Cargo.lock`.
#[derive(Debug, Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

impl<'a> Workspace<'a> {
    /// Reads the manifests and `Cargo.lock` of the workspace.
    ///
    /// # Errors
    /// If one of them cannot be read or parsed.
    pub fn read(root: &'a Path) -> Result<Self> {
        let manifest: Table = parse(root, "Cargo.toml")?;
        let Lock { package: locked } = parse(root, "Cargo.lock")?;
        let mut folders = BTreeMap::new();
        for folder in manifest["workspace"]["members"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let member: Table = parse(root, &format!("{folder}/Cargo.toml"))?;
            let name = member["package"]["name"].as_str().context("a package's name is a string")?;
            folders.insert(name.to_owned(), folder.to_owned());
        }
        let mut settings = BTreeSet::new();
        settings.insert(format!("rust {}", channel(root)?));
        for part in ["resolver", "package", "dependencies"] {
            flatten(part, &manifest["workspace"][part], &mut settings);
        }
        flatten("profile", &profile(&manifest)?, &mut settings);
        Ok(Self { root, folders, locked, settings })
    }

    /// Returns the digest of everything that a package's component is built from.
    ///
    /// # Errors
    /// If the package is not in `Cargo.lock`, or a source cannot be read.
    pub fn digest(&self, package: &str) -> Result<String> {
        let mut hash = Sha256::new();
        let mut feed = |name: &str, content: &[u8]| {
            // With its length, so that no two lists of sources give the same bytes.
            hash.update(format!("{name}\n{}\n", content.len()));
            hash.update(content);
        };
        for setting in self.settings.iter().map(String::as_str).chain(FLAGS.iter().copied()) {
            feed(setting, b"");
        }
        for locked in self.closure(package)? {
            if let Some(checksum) = &locked.checksum {
                feed(&format!("{} {} {checksum}", locked.name, locked.version), b"");
            }
        }
        for file in self.files(package)? {
            feed(&file, &read(self.root, &file)?);
        }
        Ok(written(&hash.finalize()))
    }

    /// Returns the files of the workspace that a package's component is built from, from the root.
    ///
    /// # Errors
    /// If the package is not in `Cargo.lock`, or a folder cannot be read.
    pub fn files(&self, package: &str) -> Result<BTreeSet<String>> {
        let mut files = BTreeSet::new();
        list(self.root, "wit", &mut files)?;
        for folder in self.closure(package)?.iter().filter_map(|locked| self.folders.get(&locked.name)) {
            for part in ["Cargo.toml", "build.rs", "src"] {
                list(self.root, &format!("{folder}/{part}"), &mut files)?;
            }
        }
        Ok(files)
    }

    /// Returns the package and all that it depends on, in the order of names and versions.
    fn closure(&self, package: &str) -> Result<Vec<&Locked>> {
        let mut found = BTreeMap::new();
        let mut open = vec![package];
        while let Some(dependency) = open.pop() {
            // `name`, or `name version` where the name alone is not unique.
            let (name, version) = dependency.split_once(' ').map_or((dependency, None), |(n, v)| (n, Some(v)));
            let is_it = |p: &&Locked| p.name == name && version.is_none_or(|version| p.version == version);
            let locked = self.locked.iter().find(is_it).with_context(|| format!("Cargo.lock has no {dependency}"))?;
            if found.insert((&locked.name, &locked.version), locked).is_none() {
                open.extend(locked.dependencies.iter().map(String::as_str));
            }
        }
        Ok(found.into_values().collect())
    }
}

/// Returns the settings of the profile, including those that it inherits.
fn profile(manifest: &Table) -> Result<Value> {
    let own = manifest["profile"][PROFILE].as_table().context("the profile is a table")?;
    let inherited = manifest["profile"]["release"].as_table().context("the profile is a table")?;
    ensure!(own["inherits"].as_str() == Some("release"), "the profile {PROFILE} inherits release");
    let mut all = inherited.clone();
    all.extend(own.clone());
    Ok(Value::Table(all))
}

/// Adds each setting below a value as `name.name = value`: the same for each order and layout of the file.
fn flatten(name: &str, value: &Value, settings: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| flatten(&format!("{name}.{key}"), value, settings)),
        value => _ = settings.insert(format!("{name} = {value:?}")),
    }
}

/// Adds a file, or all files of a folder except hidden ones; nothing if the path does not exist.
fn list(root: &Path, path: &str, files: &mut BTreeSet<String>) -> Result<()> {
    let full = root.join(path);
    if full.is_file() {
        files.insert(path.to_owned());
    } else if full.is_dir() {
        for entry in fs::read_dir(&full).with_context(|| format!("reading {path}"))? {
            let name = entry?.file_name();
            let name = name.to_str().with_context(|| format!("{path} has a file whose name is not UTF-8"))?;
            if !name.starts_with('.') {
                list(root, &format!("{path}/{name}"), files)?;
            }
        }
    }
    Ok(())
}

fn parse<T: serde::de::DeserializeOwned>(root: &Path, file: &str) -> Result<T> {
    let text = fs::read_to_string(root.join(file)).with_context(|| format!("reading {file}"))?;
    toml::from_str(&text).with_context(|| format!("parsing {file}"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::{Lock, Workspace, flatten, profile};

    #[test]
    fn settings_are_the_same_in_every_layout() {
        let settings = |text: &str| {
            let mut settings = BTreeSet::new();
            flatten("profile", &profile(&toml::from_str(text).expect("TOML")).expect("profiles"), &mut settings);
            settings.into_iter().collect::<Vec<_>>()
        };
        let one = settings(
            "[profile.release]\ndebug = true\nlto = 'off'\n[profile.plugin]\ninherits = 'release'\nlto = true",
        );
        let other = settings("profile = { plugin = { lto = true, inherits = 'release' }, release = { debug = true } }");
        assert_eq!(one, other);
        assert_eq!(one[0], "profile.debug = Boolean(true)");
    }

    #[test]
    fn a_package_depends_on_nothing_else_in_the_lock_file() {
        let text = "
            package = [
                { name = 'a', version = '1.0.0', dependencies = ['b 2.0.0', 'c'] },
                { name = 'b', version = '1.0.0' },
                { name = 'b', version = '2.0.0', dependencies = ['c'] },
                { name = 'c', version = '1.0.0' },
                { name = 'd', version = '1.0.0', dependencies = ['a'] },
            ]";
        let Lock { package: locked } = toml::from_str(text).expect("TOML");
        let workspace = Workspace { root: Path::new("."), folders: BTreeMap::new(), locked, settings: BTreeSet::new() };
        let closure = workspace.closure("a").expect("it is locked");
        let names: Vec<_> = closure.iter().map(|locked| format!("{} {}", locked.name, locked.version)).collect();
        assert_eq!(names, ["a 1.0.0", "b 2.0.0", "c 1.0.0"]);
    }
}
