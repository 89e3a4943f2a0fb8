//! JSON that stays as it was written, to the byte.
//!
//! Trees of values do not do that: `serde_json::Value` makes 1e+400 of 1e400 even with `arbitrary_precision`. So a
//! [`Json`] is a piece of the posted text, taken apart one level at a time.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Event, Failure, refuse};

/// Levels of lists and objects: far more than any CRM's, few enough to be walked by functions that call themselves.
const DEPTH_MAX: usize = 127;

/// A JSON text.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(&'a str);

/// What a JSON text consists of.
#[derive(Debug)]
pub enum Parts<'a> {
    /// An object's members in their order, a name that is there twice included.
    Object(Vec<(String, Json<'a>)>),
    /// A list's items.
    Array(Vec<Json<'a>>),
    /// A text, without quotes and escapes.
    Text(String),
    /// A number, a boolean or null, as it was written.
    Other(&'a str),
}

impl<'a> Json<'a> {
    /// Reads a JSON text.
    ///
    /// # Errors
    /// If it is none, or nested deeper than 127 levels; says so in a few words.
    pub fn read(text: &'a str) -> Result<Self, String> {
        serde_json::from_str::<IgnoredAny>(text).map_err(|e| e.to_string())?;
        if depth(text) > DEPTH_MAX {
            return Err(format!("it is nested deeper than {DEPTH_MAX} levels"));
        }
        Ok(Self(text.trim()))
    }

    /// An event's data.
    ///
    /// # Errors
    /// If it is nested deeper than 127 levels.
    pub fn of(event: &'a Event) -> Result<Self, Failure> {
        Self::read(&event.data).map_err(|e| refuse(format!("the data of event {} cannot be used: {e}", event.id)))
    }

    /// The text.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// Takes it apart, one level.
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
        serde_json::from_str(self.0).expect("`read` let nothing but JSON through")
    }
}

/// An object's members, duplicates included.
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

/// A JSON string. Half a surrogate pair, which JSON allows and UTF-8 does not, becomes U+FFFD, once for each of its bytes.
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
        // Asked for bytes, serde_json lets such a half through as three bytes.
        deserializer.deserialize_bytes(Decode).map(Text)
    }
}

/// How deep lists and objects are nested in a JSON text.
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

/// The length of the JSON string that `from` starts with, quotes and escapes included.
pub fn string_len(from: &str) -> usize {
    let mut escaped = false;
    let end = from.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    // The position counts from after the opening quote.
    end.map_or(from.len(), |end| end + 2)
}

/// A text as JSON, in quotes.
pub fn string(text: &str) -> String {
    serde_json::to_string(text).expect("every text can be written as JSON")
}

/// An event with `data` as JSON text: `{"id":…,"type":…,"occurred_at":…,"data":…}`.
pub fn event(event: &Event, data: &str) -> String {
    let (id, kind, at) = (string(&event.id), string(&event.kind), string(&event.occurred_at));
    format!(r#"{{"id":{id},"type":{kind},"occurred_at":{at},"data":{data}}}"#)
}

/// One event by itself; several, or any number if `list` is wanted, as `{"events":[…]}`.
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
    fn parts_are_what_was_written() {
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
    fn half_a_surrogate_pair_is_a_replacement_character() {
        let Ok(json) = Json::read(r#"{"\ud83d":"x\ude00\ud83d\ude00"}"#) else { panic!("it is JSON") };
        let Parts::Object(members) = json.parts() else { panic!("it is an object") };
        assert!(members[0].0.starts_with('\u{fffd}'));
        assert!(
            matches!(members[0].1.parts(), Parts::Text(text) if text.starts_with("x\u{fffd}") && text.ends_with('😀'))
        );
    }

    #[test]
    fn depth_counts_lists_and_objects_but_not_brackets_within_texts() {
        assert_eq!(depth("1"), 0);
        assert_eq!(depth(r#"[{"[[[\"[[":[]},[]]"#), 3);
        assert!(Json::read(&("[".repeat(127) + &"]".repeat(127))).is_ok());
        assert!(Json::read(&("[".repeat(128) + &"]".repeat(128))).is_err());
    }
}
