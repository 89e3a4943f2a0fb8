//! A text with slots: `{timestamp}.{body}`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Invalid;

/// The longest template, which suffices for a header's value.
const TEMPLATE_BYTES_MAX: usize = 1 << 10;

/// A text in which names in braces stand for values. There is no escape: a literal brace is not possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Literal text.
    Text(String),
    /// The name of a value.
    Slot(String),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// If a brace is unmatched, or the text is longer than 1 KiB.
    pub fn parse(source: &str) -> Result<Self, Invalid> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(Invalid::new(format!("at most {TEMPLATE_BYTES_MAX} bytes")));
        }
        let unmatched = || Invalid::new(format!("unmatched brace in `{}`", source.escape_debug()));
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            let (text, from) = rest.split_at(at);
            let (name, behind) = from.strip_prefix('{').and_then(|from| from.split_once('}')).ok_or_else(unmatched)?;
            if name.contains('{') {
                return Err(unmatched());
            }
            pieces.extend((!text.is_empty()).then(|| Piece::Text(text.to_owned())));
            pieces.push(Piece::Slot(name.to_owned()));
            rest = behind;
        }
        pieces.extend((!rest.is_empty()).then(|| Piece::Text(rest.to_owned())));
        Ok(Self { source: source.to_owned(), pieces })
    }

    /// Checks that it has no slots other than those of `known`.
    ///
    /// # Errors
    /// If it has another; the message lists the known slots.
    pub fn check(&self, known: &[&str]) -> Result<(), Invalid> {
        let unknown = self.pieces.iter().find_map(|piece| match piece {
            Piece::Slot(name) if !known.contains(&name.as_str()) => Some(name),
            Piece::Slot(_) | Piece::Text(_) => None,
        });
        match unknown {
            None => Ok(()),
            Some(name) => {
                let known: Vec<_> = known.iter().map(|name| format!("{{{name}}}")).collect();
                let name = name.escape_debug();
                Err(Invalid::new(format!("unknown slot `{{{name}}}`: expected one of {}", known.join(" "))))
            }
        }
    }

    /// Returns its parts in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Returns the text with each slot replaced by `value`.
    pub fn fill<'a>(&'a self, value: impl Fn(&str) -> std::borrow::Cow<'a, str>) -> String {
        let mut text = String::with_capacity(self.source.len());
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Slot(name) => text.push_str(&value(name)),
            }
        }
        text
    }

    /// Returns the template's source.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
