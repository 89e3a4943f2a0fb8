//! Scanning a component before it is compiled: its imports and exports, and the limits on what compiling costs.
//!
//! Compiling is where a hostile component costs most, in time and memory, so a structure that no honest toolchain
//! produces is refused here. What passes is compiled in a process with its own limits: the scan is not needed for safety,
//! it makes most refusals cheap and their reasons clear. wasmtime decides whether the component is valid.

use wasmparser::{Encoding, FunctionBody, Parser, Payload};

use super::contract::{self, Outline};
use super::settings::TABLE_ELEMENTS_MAX;
use super::{Refusal, cut};
use crate::config::Limits;

/// Depth of nested components: toolchains produce 2 levels, composition some more. The parser keeps state for each.
const DEPTH_MAX: usize = 16;

/// Imports and exports together: a toolchain's adapter has about 60.
const NAMES_MAX: usize = 1_000;

/// Bytes of the name of an import or export.
const NAME_BYTES_MAX: usize = 1_000;

/// Bytes of the parser's message that are kept.
const MESSAGE_BYTES_MAX: usize = 500;

/// Core modules: Python has about a hundred.
const MODULES_MAX: usize = 256;

/// Functions of all modules: Python and StarlingMonkey have about ten thousand.
const FUNCTIONS_MAX: u32 = 200_000;

/// Bytes of one function's body: the largest loops of interpreters have about 200 KB. The time to compile a function can
/// grow faster than its size.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Locals of one function: each costs compile time in every block.
const LOCALS_MAX: u64 = 10_000;

/// Reads what a component imports and exports, and refuses what is not a plugin, without compiling anything.
///
/// # Errors
/// The reason of the refusal, for the component's author.
pub fn outline(component: &[u8], limits: &Limits) -> Result<Outline, Refusal> {
    if component.len() > limits.component_bytes_max {
        return refuse(format!("it has {} bytes; {} are allowed", component.len(), limits.component_bytes_max));
    }
    if !component.starts_with(b"\0asm") {
        return refuse("it is not a WebAssembly component: missing magic bytes".to_owned());
    }
    let mut scan = Scan { limits, depth: 0, modules: 0, functions: 0, outline: Outline::default() };
    for payload in Parser::new(0).parse_all(component) {
        scan.payload(payload.map_err(malformed)?)?;
    }
    contract::check(&scan.outline)?;
    Ok(scan.outline)
}

fn refuse<T>(reason: String) -> Result<T, Refusal> {
    Err(Refusal(reason))
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn malformed(error: wasmparser::BinaryReaderError) -> Refusal {
    // On one line, since the parser's message may contain any bytes of the component.
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    let message = cut(message.escape_debug().to_string(), MESSAGE_BYTES_MAX);
    Refusal(format!(
        "it is not a valid WebAssembly component, or it is truncated: {message} (at byte {})",
        error.offset()
    ))
}

struct Scan<'a> {
    limits: &'a Limits,
    /// The number of components and modules that enclose the parser's position.
    depth: usize,
    modules: usize,
    functions: u32,
    outline: Outline,
}

impl Scan<'_> {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if self.depth == 0 => refuse(
                "it is a core module, not a component: build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"
                    .to_owned(),
            ),
            Payload::Version { .. } => self.enter(),
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
                imports.into_iter().try_for_each(|import| {
                    let name = self.name(import.map_err(malformed)?.name.name)?;
                    self.outline.imports.push(name);
                    Ok(())
                })
            }
            Payload::ComponentExportSection(exports) if self.depth == 1 => exports.into_iter().try_for_each(|export| {
                let name = self.name(export.map_err(malformed)?.name.name)?;
                self.outline.exports.push(name);
                Ok(())
            }),
            _ => Ok(()),
        }
    }

    fn enter(&mut self) -> Result<(), Refusal> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return refuse(format!("it nests components more than {DEPTH_MAX} deep"));
        }
        Ok(())
    }

    /// Checks the name of an import or export.
    fn name(&self, name: &str) -> Result<String, Refusal> {
        if self.outline.imports.len() + self.outline.exports.len() >= NAMES_MAX {
            return refuse(format!("it has more than {NAMES_MAX} imports and exports"));
        }
        if name.len() > NAME_BYTES_MAX {
            return refuse(format!(
                "one of its imports or exports has a name of {} bytes; {NAME_BYTES_MAX} are allowed",
                name.len()
            ));
        }
        Ok(name.to_owned())
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
                "it starts with {bytes} bytes of memory; {} are allowed",
                self.limits.memory_bytes_max
            ));
        }
        Ok(())
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
