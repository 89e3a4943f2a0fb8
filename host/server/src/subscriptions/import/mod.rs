//! Import: other systems' definitions of webhooks, made into subscriptions. Pure: nothing is sent or stored here.
//!
//! An export is read leniently, since each system and each of its tools writes it in its own way: members are found
//! whatever their case and underscores, numbers and switches may be text. What follows from it is strict: whatever is
//! not carried over is in the report, by name. A definition whose meaning would change (a condition that cannot be
//! expressed) becomes a draft, which sends nothing until somebody has looked at it. One that cannot be carried over at
//! all is refused and does not stop the others.

mod breakcold;
mod common;
mod definition;
mod leadsquared;
mod livespace;

use serde_json::{Map, Value};

use definition::{Definition, same_name};

/// An export's size: 10,000 definitions of 800 bytes each.
pub const FILE_BYTES_MAX: usize = 8 << 20;

/// Definitions in an export: far more than one account has, few enough to post them one by one.
pub const DEFINITIONS_MAX: usize = 10_000;

/// What the member that holds the definitions is called.
const LISTS: [&str; 6] = ["list", "webhooks", "subscriptions", "workflows", "endpoints", "data"];

/// What came of an export.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// What is to be created.
    pub subscriptions: Vec<Converted>,
    /// What was not carried over as it was.
    pub report: Vec<Note>,
}

/// A definition made into a subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// Which definition it was: `definition 3 "New leads"`.
    pub which: String,
    /// The body that creates it (`POST /v1/spaces/{space}/subscriptions`).
    pub body: Value,
}

/// Something that was not carried over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Of which definition; `the file` for what belongs to none.
    pub which: String,
    /// What, in words.
    pub what: String,
    /// Whether that is the whole definition.
    pub refused: bool,
}

/// Why nothing of an export could be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is larger than [`FILE_BYTES_MAX`].
    #[error("the export is larger than 8 MiB")]
    TooLarge,
    /// It has more than [`DEFINITIONS_MAX`].
    #[error("the export has {0} definitions, and 10,000 is the most: split it")]
    TooMany(usize),
    /// It is no JSON.
    #[error("the export is no JSON")]
    NoJson(#[source] serde_json::Error),
    /// It is neither an array nor an object.
    #[error("the export is neither a definition, nor an array of them, nor an object that holds one")]
    NoDefinitions,
}

/// Reads an export.
///
/// # Errors
/// If it is too large, or no JSON.
pub fn read(file: &[u8]) -> Result<Value, ImportError> {
    if file.len() > FILE_BYTES_MAX {
        return Err(ImportError::TooLarge);
    }
    // Exports saved on Windows may begin with a byte order mark.
    serde_json::from_slice(file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file)).map_err(ImportError::NoJson)
}

/// Converts LeadSquared's definitions: what its webhook API lists, and the bodies of the calls that create and update.
///
/// # Errors
/// If there is nothing that could be a definition, or there are too many.
pub fn leadsquared(export: &Value) -> Result<Imported, ImportError> {
    import(export, leadsquared::convert)
}

/// Converts Livespace's subscriptions and workflows.
///
/// # Errors
/// If there is nothing that could be a definition, or there are too many.
pub fn livespace(export: &Value) -> Result<Imported, ImportError> {
    import(export, livespace::convert)
}

/// Converts Breakcold's endpoints, of either generation.
///
/// # Errors
/// If there is nothing that could be a definition, or there are too many.
pub fn breakcold(export: &Value) -> Result<Imported, ImportError> {
    import(export, breakcold::convert)
}

/// Makes the body that creates a subscription; or says why the definition cannot be carried over.
type Convert = fn(&mut Definition<'_>) -> Result<Map<String, Value>, String>;

fn import(export: &Value, convert: Convert) -> Result<Imported, ImportError> {
    let mut imported = Imported::default();
    let definitions = definitions(export, &mut imported.report)?;
    if definitions.len() > DEFINITIONS_MAX {
        return Err(ImportError::TooMany(definitions.len()));
    }
    for (index, definition) in definitions.into_iter().enumerate() {
        imported.add(index + 1, definition, convert);
    }
    Ok(imported)
}

impl Imported {
    fn add(&mut self, number: usize, definition: &Value, convert: Convert) {
        let Some(members) = definition.as_object() else {
            let what = "it is no JSON object".to_owned();
            self.report.push(Note { which: format!("definition {number}"), what, refused: true });
            return;
        };
        let mut definition = Definition::new(members);
        let which = match definition.label() {
            Some(label) => format!("definition {number} {label:?}"),
            None => format!("definition {number}"),
        };
        match convert(&mut definition) {
            Ok(mut body) => {
                let (notes, draft) = definition.finish();
                if draft {
                    body.insert("state".to_owned(), "draft".into());
                }
                self.report.extend(notes.into_iter().map(|what| Note { which: which.clone(), what, refused: false }));
                self.subscriptions.push(Converted { which, body: Value::Object(body) });
            }
            Err(what) => self.report.push(Note { which, what, refused: true }),
        }
    }
}

/// The definitions that an export holds; what stands beside them is reported.
fn definitions<'a>(export: &'a Value, report: &mut Vec<Note>) -> Result<Vec<&'a Value>, ImportError> {
    let members = match export {
        Value::Array(items) => return Ok(items.iter().collect()),
        Value::Object(members) => members,
        _ => return Err(ImportError::NoDefinitions),
    };
    let is_list = |(name, value): &(&String, &Value)| {
        let holds = value.as_array().is_some_and(|items| items.is_empty() || items.iter().any(Value::is_object));
        holds && LISTS.iter().any(|list| same_name(name, list))
    };
    let (lists, beside): (Vec<_>, Vec<_>) = members.iter().partition(is_list);
    if lists.is_empty() {
        return Ok(vec![export]);
    }
    report.extend(beside.into_iter().map(|(name, _)| Note {
        which: "the file".to_owned(),
        what: format!("`{}` stands beside the definitions and was left out", name.escape_debug()),
        refused: false,
    }));
    Ok(lists.into_iter().flat_map(|(_, list)| list.as_array().into_iter().flatten()).collect())
}
