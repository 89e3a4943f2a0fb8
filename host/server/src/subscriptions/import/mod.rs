//! Import: converts other systems' webhook definitions into subscriptions. Pure: nothing is sent or stored here.
//!
//! An export is read leniently, since each system and each of its tools writes it differently: members are found
//! regardless of case and underscores, numbers and switches may be text. The conversion is strict: the report names
//! everything that is not converted. A definition whose meaning would change (a condition that cannot be expressed)
//! becomes a draft, which sends nothing until someone has reviewed it. A definition that cannot be converted at all is
//! refused and does not stop the others.

mod breakcold;
mod common;
mod foreign;
mod leadsquared;
mod livespace;

use serde_json::{Map, Value};

use self::foreign::{ForeignDefinition, same_name};

/// Maximum size of an export: 10,000 definitions of 800 bytes each.
pub const FILE_BYTES_MAX: usize = 8 << 20;

/// Maximum number of definitions in an export: far more than one account has, few enough to post one by one.
pub const DEFINITIONS_MAX: usize = 10_000;

/// Names of the member that holds the definitions.
const LISTS: [&str; 6] = ["list", "webhooks", "subscriptions", "workflows", "endpoints", "data"];

/// Result of converting an export.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// Subscriptions to create.
    pub subscriptions: Vec<Converted>,
    /// Everything that was not converted as it was.
    pub report: Vec<Note>,
}

/// A definition converted into a subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// The definition: `definition 3 "New leads"`.
    pub which: String,
    /// Body of the request that creates it (`POST /v1/spaces/{space}/subscriptions`).
    pub body: Value,
}

/// Something that was not converted as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The definition; `the file` for what belongs to none.
    pub which: String,
    /// What it was, for people.
    pub what: String,
    /// Whether the whole definition was refused.
    pub refused: bool,
}

/// Reason why an export could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is larger than [`FILE_BYTES_MAX`].
    #[error("the export is larger than 8 MiB")]
    TooLarge,
    /// It has more definitions than [`DEFINITIONS_MAX`].
    #[error("the export has {0} definitions, but the maximum is 10,000: split it")]
    TooMany(usize),
    /// It is not JSON.
    #[error("the export is not JSON")]
    NoJson(#[source] serde_json::Error),
    /// It is neither an array nor an object.
    #[error(
        "the export has no definitions: expected a definition, an array of definitions, or an object that holds an array"
    )]
    NoDefinitions,
}

/// Parses an export.
///
/// # Errors
/// If it is too large, or not JSON.
pub fn read(file: &[u8]) -> Result<Value, ImportError> {
    if file.len() > FILE_BYTES_MAX {
        return Err(ImportError::TooLarge);
    }
    // Exports saved on Windows may begin with a byte order mark.
    serde_json::from_slice(file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file)).map_err(ImportError::NoJson)
}

/// Converts LeadSquared's definitions: what its webhook API lists, and the bodies of the calls that create and update
/// webhooks.
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

/// Returns the body that creates the subscription, or the reason why the definition cannot be converted.
type Convert = fn(&mut ForeignDefinition<'_>) -> Result<Map<String, Value>, String>;

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
            let what = "not a JSON object".to_owned();
            self.report.push(Note { which: format!("definition {number}"), what, refused: true });
            return;
        };
        let mut definition = ForeignDefinition::new(members);
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

/// Returns the definitions in an export; reports everything next to them.
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
    let (lists, others): (Vec<_>, Vec<_>) = members.iter().partition(is_list);
    if lists.is_empty() {
        return Ok(vec![export]);
    }
    report.extend(others.into_iter().map(|(name, _)| Note {
        which: "the file".to_owned(),
        what: format!("`{}` next to the definitions was ignored", name.escape_debug()),
        refused: false,
    }));
    Ok(lists.into_iter().flat_map(|(_, list)| list.as_array().into_iter().flatten()).collect())
}
