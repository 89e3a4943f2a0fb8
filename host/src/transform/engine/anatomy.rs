//! What a component says on its outside, without compiling it: for whoever wants to know why it is refused.

use wasmparser::{Encoding, Parser, Payload};

/// Names that are kept: a component with more is none that somebody wants to read about.
const NAMES_MAX: usize = 200;

/// A component's imports and exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anatomy {
    /// The contract's version, if it exports the contract.
    pub contract: Option<String>,
    /// The names of its imports.
    pub imports: Vec<String>,
    /// The names of its exports.
    pub exports: Vec<String>,
}

impl Anatomy {
    /// Reads a component as far as it can be read; what is no component has neither imports nor exports.
    pub fn of(component: &[u8]) -> Self {
        let mut anatomy = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
            match payload {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => break,
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 1 => {
                    let names = imports.into_iter().map_while(Result::ok).map(|import| import.name.name.to_owned());
                    anatomy.imports.extend(names.take(NAMES_MAX));
                }
                Payload::ComponentExportSection(exports) if depth == 1 => {
                    let names = exports.into_iter().map_while(Result::ok).map(|export| export.name.name.to_owned());
                    anatomy.exports.extend(names.take(NAMES_MAX));
                }
                _ => {}
            }
        }
        let version = |export: &String| export.strip_prefix("hookmill:plugin/transformer@").map(str::to_owned);
        anatomy.contract = anatomy.exports.iter().find_map(version);
        anatomy
    }
}
