//! Reads a component before anything is compiled: what it imports and exports, and whether compiling it can end well.
//!
//! Compiling is where a hostile component costs most, in time and memory, so what no honest toolchain produces is
//! refused here. What passes is compiled in a process that has limits of its own; this does not rely on being right,
//! it makes most refusals cheap and their reasons plain. Whether the component is valid, wasmtime decides.

use wasmparser::{Encoding, FunctionBody, Parser, Payload};

use super::settings::TABLE_ELEMENTS_MAX;
use super::{Refusal, cut};
use crate::config::PluginConfig;

/// The interface that makes a component a plugin, without its version.
const TRANSFORMER: &str = "hookmill:plugin/transformer";

/// What a component may import beside WASI: functions of the log and the secrets, and the contract's types.
const IMPORTS: [&str; 3] = ["hookmill:plugin/log", "hookmill:plugin/secrets", "hookmill:plugin/types"];

/// The WASI packages that a language's runtime may ask for; they are answered, and grant nothing. HTTP is none of
/// them: no runtime needs it to start, and a plugin that imports it means to use it.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// The latest version of the contract that this host speaks, as a reader sees it; it speaks those before it, too.
const LATEST: &str = "1.1";

/// Core modules: Python has about a hundred.
const MODULES_MAX: usize = 256;

/// Functions of all modules: Python and StarlingMonkey have some ten thousand.
const FUNCTIONS_MAX: u32 = 200_000;

/// One function's body: the largest loops of interpreters have some 200 KB. The time that a function takes to compile
/// can grow faster than its size.
const BODY_BYTES_MAX: usize = 1 << 20;

/// One function's locals: each costs the compiler in every block.
const LOCALS_MAX: u64 = 10_000;

/// Checks a component's shape.
pub(super) fn scan(component: &[u8], limits: &PluginConfig) -> Result<(), Refusal> {
    if component.len() > limits.component_bytes_max {
        return refuse(format!(
            "it has {} bytes; a component may have {}",
            component.len(),
            limits.component_bytes_max
        ));
    }
    let mut scan = Scan { limits, depth: 0, modules: 0, functions: 0, exports: Vec::new() };
    for payload in Parser::new(0).parse_all(component) {
        scan.payload(payload.map_err(malformed)?)?;
    }
    if scan.exports.iter().any(|export| is_ours(export, TRANSFORMER)) { Ok(()) } else { refuse(scan.no_transformer()) }
}

fn refuse<T>(reason: String) -> Result<T, Refusal> {
    Err(Refusal(reason))
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn malformed(error: wasmparser::BinaryReaderError) -> Refusal {
    Refusal(format!("it is no WebAssembly component: {error}"))
}

/// A name out of a component, which may be anything.
fn shown(name: &str) -> String {
    cut(name.escape_debug().to_string(), 200)
}

struct Scan<'a> {
    limits: &'a PluginConfig,
    /// How many components and modules the reader is in.
    depth: usize,
    modules: usize,
    functions: u32,
    exports: Vec<String>,
}

impl Scan<'_> {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if self.depth == 0 => refuse(
                "it is a core module and no component: build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"
                    .to_owned(),
            ),
            Payload::Version { .. } => {
                self.depth += 1;
                Ok(())
            }
            Payload::End(_) => {
                self.depth -= 1;
                Ok(())
            }
            Payload::ModuleSection { .. } => self.module(),
            Payload::CodeSectionStart { count, .. } => self.functions(count),
            Payload::CodeSectionEntry(body) => check_body(&body),
            Payload::MemorySection(memories) => {
                memories.into_iter().try_for_each(|memory| self.memory(&memory.map_err(malformed)?))
            }
            Payload::TableSection(tables) => {
                tables.into_iter().try_for_each(|table| check_table(&table.map_err(malformed)?))
            }
            Payload::ComponentImportSection(imports) if self.depth == 1 => {
                imports.into_iter().try_for_each(|import| check_import(import.map_err(malformed)?.name.name))
            }
            Payload::ComponentExportSection(exports) if self.depth == 1 => {
                for export in exports {
                    self.exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn module(&mut self) -> Result<(), Refusal> {
        self.modules += 1;
        if self.modules > MODULES_MAX {
            return refuse(format!("it has more than {MODULES_MAX} core modules"));
        }
        Ok(())
    }

    fn functions(&mut self, count: u32) -> Result<(), Refusal> {
        self.functions = self.functions.saturating_add(count);
        if self.functions > FUNCTIONS_MAX {
            return refuse(format!("it has more than {FUNCTIONS_MAX} functions"));
        }
        Ok(())
    }

    fn memory(&self, memory: &wasmparser::MemoryType) -> Result<(), Refusal> {
        let page = 1_u64 << memory.page_size_log2.unwrap_or(16);
        let bytes = memory.initial.saturating_mul(page);
        if bytes > self.limits.memory_bytes_max as u64 {
            return refuse(format!(
                "it starts with {bytes} bytes of memory; a plugin may have {}",
                self.limits.memory_bytes_max
            ));
        }
        Ok(())
    }

    fn no_transformer(&self) -> String {
        let mine: Vec<_> = self.exports.iter().filter(|export| is_some_version(export, TRANSFORMER)).collect();
        match (mine.first(), self.exports.is_empty()) {
            (Some(export), _) => {
                format!("it exports `{}`; this host knows the contract from version 1.0 to {LATEST}", shown(export))
            }
            (None, true) => format!("it does not export `{TRANSFORMER}@{LATEST}.0`; it exports nothing"),
            (None, false) => {
                let names: Vec<_> = self.exports.iter().take(8).map(|name| format!("`{}`", shown(name))).collect();
                format!("it does not export `{TRANSFORMER}@{LATEST}.0`; it exports {}", names.join(", "))
            }
        }
    }
}

fn check_body(body: &FunctionBody<'_>) -> Result<(), Refusal> {
    let bytes = body.range().len();
    if bytes > BODY_BYTES_MAX {
        return refuse(format!("one of its functions has {bytes} bytes; {BODY_BYTES_MAX} are allowed"));
    }
    let mut locals = 0;
    for group in body.get_locals_reader().map_err(malformed)? {
        locals += u64::from(group.map_err(malformed)?.0);
    }
    if locals > LOCALS_MAX {
        return refuse(format!("one of its functions has {locals} locals; {LOCALS_MAX} are allowed"));
    }
    Ok(())
}

fn check_table(table: &wasmparser::Table<'_>) -> Result<(), Refusal> {
    let elements = table.ty.initial;
    if elements > TABLE_ELEMENTS_MAX as u64 {
        return refuse(format!("one of its tables has {elements} elements; {TABLE_ELEMENTS_MAX} are allowed"));
    }
    Ok(())
}

fn check_import(name: &str) -> Result<(), Refusal> {
    if IMPORTS.iter().any(|ours| is_ours(name, ours)) || is_wasi(name) {
        return Ok(());
    }
    if IMPORTS.iter().any(|ours| is_some_version(name, ours)) {
        return refuse(format!(
            "it imports `{}`; this host knows the contract from version 1.0 to {LATEST}",
            shown(name)
        ));
    }
    refuse(format!(
        "it imports `{}`; a plugin may import `hookmill:plugin/log`, `hookmill:plugin/secrets` and nothing else but WASI 0.2",
        shown(name)
    ))
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
