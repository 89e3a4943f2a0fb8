//! The differences between two requests for the same event.

use serde::{Deserialize, Serialize};

use super::{EventId, EventType};

/// A part of a request, or the transform's result as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The kind of result: a request, a reason to send nothing, or a fault.
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

/// One change. A value that did not exist before, or does not exist after, is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The part that changed.
    pub part: Part,
    /// The location in the part: the name of a header, a parameter or a form field; a JSON pointer; `line 7` of a text;
    /// `byte 120` of anything else. None if the part has no locations.
    pub at: Option<String>,
    /// The value before, truncated. A JSON value is its text.
    pub before: Option<String>,
    /// The value after, truncated.
    pub after: Option<String>,
}

/// The differences between two results for one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The event; of a batch, the first.
    pub event_id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// The first changes, at least one.
    pub changes: Vec<Change>,
    /// The number of further changes.
    pub more: u64,
}
