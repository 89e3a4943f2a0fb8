//! JSON that stays as it was written, byte for byte.
//!
//! A tree of values does not preserve the text: `serde_json::Value` turns 1e400 into 1e+400 even with
//! `arbitrary_precision`. A [`Json`] is therefore a slice of the posted text, parsed one level at a time.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Event, Failure, refuse};

/// The nesting limit of lists and objects: far more than any CRM produces, few enough for recursive functions.
const DEPTH_MAX: usize = 127;

/// A JSON text.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(&'a str);

/// The parts of a JSON text.
#[derive(Debug)]
pub enum Parts<'a> {
    /// An object's members in order, including duplicate names.
    Object(Vec<(String, Json<'a>)>),
    /// A list's items.
    Array(Vec<Json<'a>>),
    /// A string, with quotes removed and escapes decoded.
    Text(String),
    /// A number, boolean or null, as it was written.
    Other(&'a str),
}

impl<'a> Json<'a> {
    /// Checks and wraps a JSON text.
    ///
    /// # Errors
    /// If the text is not JSON, or nested deeper than 127 levels. The error is a short message.
    pub fn read(text: &'a str) -> Result<Self, String> {
        serde_json::from_str::<IgnoredAny>(text).map_err(|e| e.to_string())?;
        if depth(text) > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        Ok(Self(text.trim()))
    }

    /// Returns an event's data.
    ///
    /// # Errors
    /// If it is nested deeper than 127 levels.
    pub fn of(event: &'a Event) -> Result<Self, Failure> {
        Self::read(&event.data).map_err(|e| refuse(format!("cannot read the data of event {}: {e}", event.id)))
    }

    /// Returns the text.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// Parses one level.
    pub fn parts(self) -> Parts<'a> {
        match self.0.as_bytes() {
            [b'{', ..] => {
                let Members(members) = self.parse();
                Parts::Object(members.into_iter().map(|(name, value)| (name, Self(value.get()))).collect())
            }
            [b'[', ..] => {
                let items: Vec<&RawValue> = self.parse();
                Parts::Array(items.into_iter().map(|item| Self(item.get())).collect())
            }
            [b'"', ..] => {
                let Text(text) = self.parse();
                Parts::Text(text)
            }
            _ => Parts::Other(self.0),
        }
    }

    fn parse<T: Deserialize<'a>>(self) -> T {
        serde_json::from_str(self.0).expect("`read` accepts only JSON")
    }
}

/// An object's members, including duplicates.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = vec![];
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Collect).map(Members)
    }
}

/// A JSON string. An unpaired surrogate, which JSON allows and UTF-8 does not, becomes U+FFFD, one for each of its
/// bytes.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Decode;
        impl Visitor<'_> for Decode {
            type Value = String;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
                Ok(String::from_utf8_lossy(bytes).into_owned())
            }
        }
        // When bytes are requested, serde_json passes an unpaired surrogate through as three bytes.
        deserializer.deserialize_bytes(Decode).map(Text)
    }
}

/// Returns the nesting depth of lists and objects in a JSON text.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = json;
    while let Some(at) = rest.find(['"', '[', '{', ']', '}']) {
        let from = &rest[at..];
        match from.as_bytes()[0] {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        rest = &from[if from.starts_with('"') { string_len(from) } else { 1 }..];
    }
    deepest
}

/// Returns the length of the JSON string that `from` starts with, including quotes and escapes.
pub fn string_len(from: &str) -> usize {
    let mut escaped = false;
    let end = from.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    // The position is relative to the byte after the opening quote.
    end.map_or(from.len(), |end| end + 2)
}

/// Encodes a string as JSON, with quotes.
pub fn string(text: &str) -> String {
    serde_json::to_string(text).expect("every string serializes to JSON")
}

/// Encodes an event with `data` as JSON text: `{"id":…,"type":…,"occurred_at":…,"data":…}`.
pub fn event(event: &Event, data: &str) -> String {
    let (id, kind, at) = (string(&event.id), string(&event.kind), string(&event.occurred_at));
    format!(r#"{{"id":{id},"type":{kind},"occurred_at":{at},"data":{data}}}"#)
}

/// Encodes a single event as an object; several events, or any number if `list` is set, as `{"events":[…]}`.
pub fn events(events: &[Event], list: bool, mut data: impl FnMut(&Event) -> String) -> String {
    let mut texts = events.iter().map(|e| event(e, &data(e)));
    match events {
        [_] if !list => texts.next().unwrap_or_default(),
        _ => format!(r#"{{"events":[{}]}}"#, texts.collect::<Vec<_>>().join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, Parts, depth};

    #[test]
    fn parts_preserve_the_text() {
        let Ok(json) = Json::read(r#" {"a" : 1E400, "a":[ 12.50 ,"]\"\\"], "\u0062":null} "#) else {
            panic!("it is JSON")
        };
        let Parts::Object(members) = json.parts() else { panic!("it is an object") };
        let texts: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value.text())).collect();
        assert_eq!(texts, [("a", "1E400"), ("a", r#"[ 12.50 ,"]\"\\"]"#), ("b", "null")]);
        let Parts::Array(items) = members[1].1.parts() else { panic!("it is a list") };
        assert!(matches!(items[0].parts(), Parts::Other("12.50")));
        assert!(matches!(items[1].parts(), Parts::Text(text) if text == r#"]"\"#));
    }

    #[test]
    fn an_unpaired_surrogate_becomes_a_replacement_character() {
        let Ok(json) = Json::read(r#"{"\ud83d":"x\ude00\ud83d\ude00"}"#) else { panic!("it is JSON") };
        let Parts::Object(members) = json.parts() else { panic!("it is an object") };
        assert!(members[0].0.starts_with('\u{fffd}'));
        assert!(
            matches!(members[0].1.parts(), Parts::Text(text) if text.starts_with("x\u{fffd}") && text.ends_with('😀'))
        );
    }

    #[test]
    fn depth_counts_lists_and_objects_but_not_brackets_in_strings() {
        assert_eq!(depth("1"), 0);
        assert_eq!(depth(r#"[{"[[[\"[[":[]},[]]"#), 3);
        assert!(Json::read(&("[".repeat(127) + &"]".repeat(127))).is_ok());
        assert!(Json::read(&("[".repeat(128) + &"]".repeat(128))).is_err());
    }
}
