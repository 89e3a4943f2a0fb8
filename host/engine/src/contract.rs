//! A component from outside: the names that it imports and exports, held against the contract.
//!
//! The names tell most of what an author got wrong, and in the author's own words: a component for another world, one
//! that wants a network, one for a version of the contract that came after this host.

use super::{Refusal, cut};

/// The interface that makes a component a plugin, without its version.
const TRANSFORMER: &str = "hookmill:plugin/transformer";

/// What a component may import beside WASI: functions of the log and the secrets, and the contract's types.
const IMPORTS: [&str; 3] = ["hookmill:plugin/log", "hookmill:plugin/secrets", "hookmill:plugin/types"];

/// The WASI packages that a language's runtime may ask for; they are answered, and grant nothing.
const WASI: [&str; 5] = ["cli", "clocks", "filesystem", "io", "random"];

/// Interfaces that reach out, and what their author can do about it. No runtime needs them to start: Rust imports
/// sockets only where they are used, `componentize-py` without `--stub-wasi`, `componentize-js` HTTP unless it is told
/// not to. Taken, such a plugin would trap in the middle of a delivery.
const NETWORK: [(&str, &str); 2] = [
    ("wasi:sockets/", "leave out what opens connections; componentize-py and componentize-qjs take --stub-wasi"),
    ("wasi:http/", "return the request, the host sends it; componentize-js takes --disable http"),
];

/// The latest version of the contract that this host speaks, as a reader sees it; it speaks those before it, too.
const LATEST: &str = "1.1";

/// What a component imports and exports, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// What it asks of its host.
    pub imports: Vec<String>,
    /// What it offers.
    pub exports: Vec<String>,
}

impl Outline {
    /// The version of the contract that the component was built for, if this host speaks it.
    pub fn contract(&self) -> Option<semver::Version> {
        self.exports.iter().filter(|name| is_ours(name, TRANSFORMER)).find_map(|name| version_of(name, TRANSFORMER))
    }
}

/// Checks that this is a plugin's outside.
pub(super) fn check(outline: &Outline) -> Result<(), Refusal> {
    let import = outline.imports.iter().find_map(|name| check_import(name).err());
    match (outline.contract(), import) {
        (Some(_), None) => Ok(()),
        (Some(_), Some(reason)) => Err(Refusal(reason)),
        // Of a component for another world, an import tells less than what it exports.
        (None, Some(reason)) if outline.exports.is_empty() => Err(Refusal(reason)),
        (None, _) => Err(Refusal(no_transformer(&outline.exports))),
    }
}

fn no_transformer(exports: &[String]) -> String {
    if let Some(export) = exports.iter().find(|export| is_some_version(export, TRANSFORMER)) {
        return other_version("exports", export);
    }
    if exports.is_empty() {
        return format!("it does not export `{TRANSFORMER}@{LATEST}.0`; it exports nothing");
    }
    let names: Vec<_> = exports.iter().take(8).map(|name| format!("`{}`", shown(name))).collect();
    format!("it does not export `{TRANSFORMER}@{LATEST}.0`; it exports {}", names.join(", "))
}

fn other_version(does: &str, name: &str) -> String {
    format!("it {does} `{}`; this host knows the contract from version 1.0 to {LATEST}", shown(name))
}

fn check_import(name: &str) -> Result<(), String> {
    if IMPORTS.iter().any(|ours| is_ours(name, ours)) || is_wasi(name) {
        return Ok(());
    }
    if IMPORTS.iter().any(|ours| is_some_version(name, ours)) {
        return Err(other_version("imports", name));
    }
    if let Some((_, instead)) = NETWORK.iter().find(|(package, _)| name.starts_with(package)) {
        return Err(format!("it imports `{}`: a plugin has no network; {instead}", shown(name)));
    }
    Err(format!(
        "it imports `{}`; a plugin may import `hookmill:plugin/log`, `hookmill:plugin/secrets` and nothing else but WASI 0.2",
        shown(name)
    ))
}

/// A name out of a component, which may be anything.
fn shown(name: &str) -> String {
    cut(name.escape_debug().to_string(), 200)
}

/// Whether this is the interface in a version that this host speaks: 1.0 or 1.1 with any patch.
fn is_ours(name: &str, interface: &str) -> bool {
    version_of(name, interface).is_some_and(|version| version.major == 1 && version.minor <= 1)
}

fn is_some_version(name: &str, interface: &str) -> bool {
    name.strip_prefix(interface).is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
}

fn version_of(name: &str, interface: &str) -> Option<semver::Version> {
    let version = name.strip_prefix(interface)?.strip_prefix('@')?;
    semver::Version::parse(version).ok().filter(|version| version.pre.is_empty())
}

fn is_wasi(name: &str) -> bool {
    WASI.iter().any(|package| {
        let rest = name.strip_prefix("wasi:").and_then(|rest| rest.strip_prefix(package));
        rest.and_then(|rest| rest.strip_prefix('/')?.split_once("@0.2."))
            .is_some_and(|(_, patch)| patch.parse::<u32>().is_ok())
    })
}
