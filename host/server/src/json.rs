//! From bytes to values, with errors that name the member.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::error::{Code, Error};

/// Reads an object from JSON text.
pub(crate) fn object<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    // Without this, an array would do too: its elements would be taken for the members in their order.
    if text.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'{') {
        serde_json::from_slice::<IgnoredAny>(text).map_err(|err| no_json(&err))?;
        return Err(Error::field("", "the body is a JSON object"));
    }
    // Following the path costs more than the reading; who sends what is right need not pay for it.
    if let Ok(value) = serde_json::from_slice(text) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|err| problem(&err))?;
    deserializer.end().map_err(|err| no_json(&err))?;
    Ok(value)
}

/// Reads an object from a JSON value.
pub(crate) fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|err| problem(&err))
}

fn no_json(err: &serde_json::Error) -> Error {
    Error::new(Code::JsonInvalid, format!("the body is no JSON: {err}"))
}

fn problem(err: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let inner = err.inner();
    if inner.classify() != Category::Data {
        return no_json(inner);
    }
    let message = without_position(inner);
    let mut pointer = pointer(err.path());
    // Where a member is missing is known, which it is only the text says.
    let code = if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        pointer.push('/');
        pointer.push_str(name);
        Code::FieldMissing
    } else if message.starts_with("unknown field") {
        Code::FieldUnknown
    } else {
        Code::FieldInvalid
    };
    Error::at(code, pointer, message)
}

/// The message without "at line 1 column 5", which says nothing beside the pointer.
fn without_position(err: &serde_json::Error) -> String {
    let message = err.to_string();
    match message.rsplit_once(" at line ") {
        Some((text, _)) if err.line() > 0 => text.to_owned(),
        _ => message,
    }
}

/// A JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// Checks that `text`, which is JSON by its grammar, can be read by those behind us: every string is Unicode, and
/// nothing is nested 128 levels deep or deeper. Raw values are not looked into when they are taken.
pub(crate) fn check_readable(text: &str) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Readable::deserialize(&mut deserializer).map(|_| ())
}

/// Any value, read to its end and dropped.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    // All but small whole numbers come here too: serde_json hands exact ones over as a map of one entry.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}
