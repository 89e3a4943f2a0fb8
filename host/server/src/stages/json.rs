//! JSON read one level at a time, as it was written.
//!
//! `serde_json::Value` does not preserve numbers, not even with `arbitrary_precision` (`1e400` becomes `1e+400`). Raw
//! slices do, at the cost of reading a value's text once for each level that is opened; the depth limit bounds that.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use hookmill_model::{PluginFault, PluginFaultCode};

/// The deepest nesting of arrays and objects that is parsed: serde_json's own limit.
pub(crate) const DEPTH_MAX: usize = 127;

/// A value's outermost level. Strings, numbers and literals have no levels below.
pub(crate) enum Level<'a> {
    Object(Members<'a>),
    Array(Vec<&'a RawValue>),
    String(String),
    /// A number, `true`, `false` or `null`, as written.
    Other(&'a str),
}

/// An object's members in order; a repeated name appears as often as it was written.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'a> Level<'a> {
    /// Opens one level. Fails only on strings that are not Unicode (half a surrogate pair), which JSON's grammar allows.
    pub(crate) fn of(raw: &'a RawValue) -> Result<Self, PluginFault> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map(Self::Object),
            Some(b'[') => serde_json::from_str(text).map(Self::Array),
            Some(b'"') => serde_json::from_str(text).map(Self::String),
            _ => Ok(Self::Other(text)),
        }
        .map_err(|error| unreadable(&error.to_string()))
    }
}

/// The fault of data that is grammatical JSON but cannot be parsed.
pub(super) fn unreadable(why: &str) -> PluginFault {
    let message = format!("the JSON cannot be parsed: {why}");
    PluginFault { code: PluginFaultCode::InvalidOutput, message, retry: false }
}

/// The fault of data that is nested too deeply.
pub(super) fn too_deep() -> PluginFault {
    unreadable(&format!("arrays and objects are nested more than {DEPTH_MAX} levels deep"))
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
