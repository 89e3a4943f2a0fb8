//! Differences between the results of two variants of a plugin, as they are shown.

use hookmill_model::{Change, Difference, EventId, EventType, Part};
use serde::Serialize;
use utoipa::ToSchema;

/// Differences in the results for one event.
#[derive(Serialize, ToSchema)]
#[schema(as = Difference)]
pub(super) struct DifferenceView {
    /// The event; the first one of a batch.
    #[schema(value_type = String)]
    event_id: EventId,
    /// Type of the event.
    #[schema(value_type = String)]
    event_type: EventType,
    /// First changes, at least one.
    changes: Vec<ChangeView>,
    /// Number of further changes.
    more: u64,
}

/// A change.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
struct ChangeView {
    /// Part that changed.
    #[schema(value_type = PartName)]
    part: Part,
    /// Location: the name of a header, of a parameter or of a form field; a JSON pointer; `line 7` of a text; `byte
    /// 120` of any other body. Null if there is only one place.
    #[schema(required)]
    at: Option<String>,
    /// Previous value, at most 200 bytes of it; null if there was none. JSON is shown as text, a secret as
    /// `{{secret:name}}`.
    #[schema(required)]
    before: Option<String>,
    /// New value, in the same form.
    #[schema(required)]
    after: Option<String>,
}

/// Part of a result that changed.
#[derive(ToSchema)]
#[schema(as = ChangedPart, rename_all = "snake_case")]
#[expect(dead_code, reason = "used in the API description alone")]
enum PartName {
    /// Outcome: a request, a reason to send nothing, or a fault.
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
