//! A plugin's description, checked against the contract.

use hookmill_model::{Digest, PluginName, PluginVersion};
use serde_json::Value;

use super::bindings::v1::Description;
use super::output::is_content_type;
use super::{Inspected, Refusal};

const SUMMARY_CHARS_MAX: usize = 500;
const CONTENT_TYPES_MAX: usize = 16;
const SCHEMA_BYTES_MAX: usize = 64 << 10;

/// Checks a description and converts it.
pub(super) fn check(digest: Digest, description: Description) -> Result<Inspected, Refusal> {
    let Description { name, version, summary, content_types, config_schema, extra: _ } = description;
    let wrong = |field: &str, reason: String| Refusal(format!("its description is invalid: {field}: {reason}"));
    if summary.chars().count() > SUMMARY_CHARS_MAX {
        return Err(wrong("summary", format!("longer than {SUMMARY_CHARS_MAX} characters")));
    }
    if !(1..=CONTENT_TYPES_MAX).contains(&content_types.len()) {
        return Err(wrong("content-types", format!("expected 1 to {CONTENT_TYPES_MAX}")));
    }
    if let Some(odd) = content_types.iter().find(|text| !is_content_type(text)) {
        return Err(wrong("content-types", format!("invalid content type `{}`", odd.escape_debug())));
    }
    Ok(Inspected {
        digest,
        name: PluginName::parse(&name).map_err(|e| wrong("name", e.to_string()))?,
        version: PluginVersion::parse(&version).map_err(|e| wrong("version", e.to_string()))?,
        summary,
        content_types,
        config_schema: schema(&config_schema).map_err(|reason| wrong("config-schema", reason))?,
    })
}

fn schema(text: &str) -> Result<Value, String> {
    if text.len() > SCHEMA_BYTES_MAX {
        return Err(format!("longer than {SCHEMA_BYTES_MAX} bytes"));
    }
    match serde_json::from_str(text) {
        Ok(schema @ (Value::Object(_) | Value::Bool(_))) => Ok(schema),
        Ok(_) => Err("a JSON Schema is an object, true or false".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
