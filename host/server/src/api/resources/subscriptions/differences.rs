//! Differences between what two variants of a plugin make of an event, as they are shown.

use serde::Serialize;
use utoipa::ToSchema;

use hookmill_model::{Change, Difference, EventId, EventType, Part};

/// How what came of one event differs.
#[derive(Serialize, ToSchema)]
#[schema(as = Difference)]
pub(super) struct DifferenceView {
    /// The event; of several that were gathered, the first.
    #[schema(value_type = String)]
    event_id: EventId,
    /// Its type.
    #[schema(value_type = String)]
    event_type: EventType,
    /// The first changes, at least one.
    changes: Vec<ChangeView>,
    /// How many more there are.
    more: u64,
}

/// One change.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
struct ChangeView {
    /// What changed.
    #[schema(value_type = PartName)]
    part: Part,
    /// Where: the name of a header, of a parameter or of a form's field; a JSON pointer; `line 7` of a text; `byte 120`
    /// where nothing else tells the bodies apart. Null if there is but one place.
    #[schema(required)]
    at: Option<String>,
    /// What stood there, at most 200 bytes of it; null if there was nothing. A JSON value is its text; a secret is
    /// `{{secret:name}}`.
    #[schema(required)]
    before: Option<String>,
    /// What stands there now, in the same way.
    #[schema(required)]
    after: Option<String>,
}

/// What changed.
#[derive(ToSchema)]
#[schema(as = ChangedPart, rename_all = "snake_case")]
#[expect(dead_code, reason = "stands in the document for the model's part, which knows nothing of documents")]
enum PartName {
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

impl From<Difference> for DifferenceView {
    fn from(Difference { event_id, event_type, changes, more }: Difference) -> Self {
        Self { event_id, event_type, changes: changes.into_iter().map(ChangeView::from).collect(), more }
    }
}

impl From<Change> for ChangeView {
    fn from(Change { part, at, before, after }: Change) -> Self {
        Self { part, at, before, after }
    }
}
