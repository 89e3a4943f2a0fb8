//! The committed components of this workspace: the list of them, and the check that they match their sources.
//!
//! A component is built by the program of this crate, `cargo components`, which needs the target `wasm32-wasip2`. It
//! records the digest of the sources next to the component, so [`stale`] finds a component that was not rebuilt after
//! a change without building anything.

pub mod by_hand;
pub mod sources;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The folder of the bundled plugins' components, from the workspace's root.
pub const BUNDLED: &str = "plugins/bundled/components";

/// The folder of the components that the tests run, from the workspace's root.
pub const GUESTS: &str = "tests/guests/components";

/// The command that rebuilds the components.
pub const COMMAND: &str = "cargo components";

/// A component that is built from a package of the workspace.
#[derive(Clone, Copy, Debug)]
pub struct Component {
    /// The name of its file, without the extension.
    pub name: &'static str,
    /// The package that it is built from.
    pub package: &'static str,
    /// The folder of its file, from the workspace's root.
    pub folder: &'static str,
}

impl Component {
    /// The component's file, from the workspace's root.
    pub fn file(&self) -> String {
        format!("{}/{}.wasm", self.folder, self.name)
    }
}

macro_rules! plugin {
    ($name:literal) => {
        Component { name: $name, package: concat!("hookmill-", $name), folder: BUNDLED }
    };
}

/// All components that are built from a package.
pub const COMPONENTS: &[Component] = &[
    plugin!("zapier"),
    plugin!("make"),
    plugin!("n8n"),
    plugin!("cloudevents"),
    plugin!("slack"),
    plugin!("template"),
    plugin!("jq"),
    plugin!("livespace"),
    plugin!("breakcold"),
    plugin!("leadsquared"),
    Component { name: "rogue", package: "hookmill-rogue", folder: GUESTS },
];

/// Returns the bundled plugins, each with its component's file, from the workspace's root.
///
/// Includes that of `javascript`, which `plugins/javascript/build.sh` builds.
pub fn plugins() -> impl Iterator<Item = (&'static str, String)> {
    let built = COMPONENTS.iter().filter(|component| component.folder == BUNDLED);
    let javascript = ("javascript", "plugins/javascript/javascript.wasm".to_owned());
    built.map(|component| (component.name, component.file())).chain([javascript])
}

/// Returns the file of a bundled plugin's description, from the workspace's root.
pub fn description_file(plugin: &str) -> String {
    format!("{BUNDLED}/{plugin}.json")
}

/// Returns the files that do not match their sources, each with the reason; none if all do.
///
/// # Errors
/// If a source, a component or `Cargo.lock` cannot be read.
pub fn stale(root: &Path) -> Result<Vec<String>> {
    let workspace = sources::Workspace::read(root)?;
    let mut stale = vec![];
    for component in COMPONENTS {
        let file = component.file();
        let recorded = sources::recorded(root, component.folder)?;
        match recorded.get(component.name) {
            Some(record) if record.sources != workspace.digest(component.package)? => {
                stale.push(format!("{file}: the sources of {} changed", component.package));
            }
            Some(record) if record.component != digest(&read(root, &file)?) => {
                stale.push(format!("{file}: not the component that was built from the recorded sources"));
            }
            Some(_) => {}
            None => stale.push(format!("{file}: its sources are not recorded")),
        }
    }
    for (name, component) in plugins() {
        let file = description_file(name);
        let description: Value =
            serde_json::from_slice(&read(root, &file)?).with_context(|| format!("parsing {file}"))?;
        if description["digest"] != digest(&read(root, &component)?) {
            stale.push(format!("{file}: describes another component than {component}"));
        }
    }
    for (name, component) in by_hand::components(root)? {
        let file = format!("{GUESTS}/{name}.wasm");
        if read(root, &file)? != component {
            stale.push(format!("{file}: its text, the contract or the assembler changed"));
        }
    }
    Ok(stale)
}

/// Returns the SHA-256 of a component, written as the host writes it.
pub fn digest(component: &[u8]) -> String {
    written(&Sha256::digest(component))
}

fn written(sha256: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha256))
}

fn read(root: &Path, file: &str) -> Result<Vec<u8>> {
    fs::read(root.join(file)).with_context(|| format!("reading {file}"))
}
