//! Paths to fields of an event's data.

use super::Invalid;

/// The longest path.
const BYTES_MAX: usize = 256;

/// A path to a field of an event's data: the names of members, joined by dots.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldPath(String);

impl FieldPath {
    /// Parses a path.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > BYTES_MAX || text.split('.').any(str::is_empty) {
            return Err(Invalid::new(format!(
                "expected a field as member names joined by dots (`custom_fields.invoice_email`), at most {BYTES_MAX} bytes"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}
crate::text_newtype!(FieldPath);
