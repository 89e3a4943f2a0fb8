//! Parsing of JSON bodies, with errors that point to the member.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use crate::error::{Code, Error};

/// Parses a JSON object from text.
pub fn object<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    // Serde also accepts an array and takes its elements for the members in declaration order.
    if text.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'{') {
        serde_json::from_slice::<IgnoredAny>(text).map_err(|err| invalid_json(&err))?;
        return Err(Error::field("", "expected a JSON object"));
    }
    // Tracking the path costs more than parsing, so it is done only for an invalid body.
    if let Ok(value) = serde_json::from_slice(text) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|err| invalid_member(&err))?;
    deserializer.end().map_err(|err| invalid_json(&err))?;
    Ok(value)
}

/// Converts a JSON value to an object.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|err| wrong_member(&err))
}

/// The members of a JSON object, each given once: of two with one name, a caller could mean either.
#[derive(Debug)]
pub struct Members(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.contains_key(&name) {
                        return Err(de::Error::custom(format!("duplicate field `{name}`")));
                    }
                    members.insert(name, value);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Once)
    }
}

fn invalid_json(err: &serde_json::Error) -> Error {
    Error::new(Code::JsonInvalid, format!("invalid JSON: {err}"))
}

fn invalid_member(err: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let inner = err.inner();
    if inner.classify() != Category::Data {
        return invalid_json(inner);
    }
    wrong_member(err)
}

fn wrong_member(err: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let message = without_value(without_position(err.inner()));
    let mut pointer = pointer(err.path());
    // The path leads to the object; only the message names the missing member.
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

/// The message without "at line 1 column 5", which adds nothing to the pointer.
fn without_position(err: &serde_json::Error) -> String {
    let message = err.to_string();
    match message.rsplit_once(" at line ") {
        Some((text, _)) if err.line() > 0 => text.to_owned(),
        _ => message,
    }
}

/// The message without the value that is wrong: it may be a secret.
fn without_value(message: String) -> String {
    let Some((given, expected)) = message.rsplit_once(", expected ") else { return message };
    if given.starts_with("unknown variant") {
        return format!("unknown value, expected {expected}");
    }
    let Some((wrong @ ("invalid type" | "invalid value"), given)) = given.split_once(": ") else { return message };
    let kind = given.split(['`', '"']).next().unwrap_or_default();
    format!("{wrong}: {}, expected {expected}", kind.trim_end())
}

/// Returns the JSON pointer (RFC 6901) of a path.
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

/// Checks that downstream code can parse `text`, which is syntactically valid JSON: every string is valid Unicode, and
/// nesting is less than 128 levels deep. Deserializing a raw value checks neither.
pub fn check_readable(text: &str) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Readable::deserialize(&mut deserializer).map(|_| ())
}

/// Any JSON value, parsed and discarded.
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

    // Numbers other than small integers also arrive here: serde_json passes exact numbers as a map with one entry.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}
