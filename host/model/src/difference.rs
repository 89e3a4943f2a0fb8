//! How two requests that were made of the same event differ.

use serde::{Deserialize, Serialize};

use super::{EventId, EventType};

/// A part of a request, or what came of the transform as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Whether there is a request, a reason to send nothing, or a fault.
    Outcome,
    /// The method.
    Method,
    /// The URL without its query.
    Url,
    /// A parameter of the query.
    Query,
    /// A header.
    Header,
    /// The body.
    Body,
}

/// One change. What was not there before, or is not there after, is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Of which part.
    pub part: Part,
    /// Where in it: the name of a header, a parameter or a form's field; a JSON pointer; `line 7` of a text; `byte 120`
    /// of what cannot be told apart otherwise. None if the part has no places.
    pub at: Option<String>,
    /// What stood there before, cut to a size. A JSON value is its text.
    pub before: Option<String>,
    /// What stands there after, cut to a size.
    pub after: Option<String>,
}

/// How what came of one event differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The event; of several that were gathered, the first.
    pub event_id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// The first changes, at least one.
    pub changes: Vec<Change>,
    /// How many more there are.
    pub more: u64,
}
