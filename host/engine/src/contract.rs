//! The names that a component imports and exports, checked against the contract.
//!
//! The names show most of an author's mistakes, in terms that the author knows: a component for another world, one that
//! wants a network, one for a later version of the contract than this host supports.

use super::{Refusal, cut};

/// The interface that makes a component a plugin, without its version.
const TRANSFORMER: &str = "hookmill:plugin/transformer";

/// What a component may import in addition to WASI: functions of the log and the secrets, and the contract's types.
const IMPORTS: [&str; 3] = ["hookmill:plugin/log", "hookmill:plugin/secrets", "hookmill:plugin/types"];

/// The WASI packages that a language's runtime may import; they are defined, and grant nothing.
const WASI: [&str; 5] = ["cli", "clocks", "filesystem", "io", "random"];

/// Interfaces for the network, each with the remedy for its author. No runtime needs them to start: Rust imports sockets
/// only where they are used, `componentize-py` without `--stub-wasi`, `componentize-js` imports HTTP unless disabled. If
/// accepted, such a plugin would trap in the middle of a delivery.
const NETWORK: [(&str, &str); 2] = [
    ("wasi:sockets/", "remove the code that opens connections; componentize-py and componentize-qjs take --stub-wasi"),
    ("wasi:http/", "return the request and the host sends it; componentize-js takes --disable http"),
];

/// The latest version of the contract that this host supports, for display; it supports the earlier ones too.
const LATEST: &str = "1.1";

/// What a component imports and exports, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its imports.
    pub imports: Vec<String>,
    /// Its exports.
    pub exports: Vec<String>,
}

impl Outline {
    /// The version of the contract that the component was built for, if this host supports it.
    pub fn contract(&self) -> Option<semver::Version> {
        self.exports.iter().filter(|name| is_ours(name, TRANSFORMER)).find_map(|name| version_of(name, TRANSFORMER))
    }
}

/// Checks that these are a plugin's imports and exports.
pub(super) fn check(outline: &Outline) -> Result<(), Refusal> {
    let import = outline.imports.iter().find_map(|name| check_import(name).err());
    match (outline.contract(), import) {
        (Some(_), None) => Ok(()),
        (Some(_), Some(reason)) => Err(Refusal(reason)),
        // For a component of another world, its exports say more than an import.
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
    format!("it {does} `{}`; this host supports contract versions 1.0 to {LATEST}", shown(name))
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
        "it imports `{}`; a plugin may import only `hookmill:plugin/log`, `hookmill:plugin/secrets` and WASI 0.2",
        shown(name)
    ))
}

/// A component's name for display; it may contain anything.
fn shown(name: &str) -> String {
    cut(name.escape_debug().to_string(), 200)
}

/// Whether this is the interface in a version that this host supports: 1.0 or 1.1 with any patch.
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
