//! A space's catalog of event types, and event types that are not in it.

use serde_json::Value;

use super::distance::distance;
use super::finding::{Check, Finding};
use hookmill_model::{Event, EventType, NoticeKind, Pattern, SpaceId};
use hookmill_store::{Store, StoreError};

/// The number of event types read from the store at a time.
const PAGE: usize = 200;

/// The largest distance at which a known type is suggested for an unknown one.
const ERRORS_MAX: usize = 3;

/// A space's event types.
pub(super) struct Catalog {
    types: Vec<EventType>,
    /// The example of the first type that the subscription selects and that has one.
    pub(super) example: Option<(EventType, Value)>,
}

impl Catalog {
    /// Reads the catalog for a subscription that selects `wanted`.
    pub(super) async fn read(store: &dyn Store, space: &SpaceId, wanted: &[Pattern]) -> Result<Self, StoreError> {
        let mut catalog = Self { types: Vec::new(), example: None };
        let mut after = None;
        loop {
            let page = store.event_types(space, after, PAGE).await?;
            for entry in page.entries {
                if catalog.example.is_none() && wanted.iter().any(|pattern| pattern.matches(&entry.name)) {
                    catalog.example = entry.example.map(|example| (entry.name.clone(), example));
                }
                catalog.types.push(entry.name);
            }
            after = page.next;
            if after.is_none() {
                return Ok(catalog);
            }
        }
    }

    /// Findings on selected types that are neither in the catalog, nor the type of a recent event, nor operational. There
    /// are none if the catalog is empty.
    pub(super) fn unknown(&self, wanted: &[Pattern], events: &[Event]) -> Vec<Finding> {
        if self.types.is_empty() {
            return Vec::new();
        }
        let own = NoticeKind::ALL.map(NoticeKind::event_type);
        let known: Vec<_> = self.types.iter().chain(&own).chain(events.iter().map(|event| &event.kind)).collect();
        let unknown = wanted.iter().filter(|pattern| !known.iter().any(|kind| pattern.matches(kind)));
        unknown.map(|pattern| self.unknown_type(pattern)).collect()
    }

    fn unknown_type(&self, pattern: &Pattern) -> Finding {
        let meant = match pattern {
            Pattern::Exactly(kind) => nearest(kind.as_str(), self.types.iter().map(EventType::as_str)),
            // Compared with the leading words of each type.
            Pattern::Below(words) => {
                let beginnings = self
                    .types
                    .iter()
                    .flat_map(|kind| kind.as_str().match_indices('.').map(|(dot, _)| &kind.as_str()[..dot]));
                nearest(words.as_str(), beginnings).map(|words| format!("{words}.*"))
            }
            Pattern::All => None,
        };
        let what_to_do = match meant {
            Some(meant) => format!("did you mean `{meant}`? Change `event_types`"),
            None => {
                "compare `event_types` with the space's event types (GET …/event-types), or add it there".to_owned()
            }
        };
        let finding = format!("the subscription selects `{pattern}`, which matches none of the space's event types");
        Finding::warning(Check::Events, finding, what_to_do)
    }
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let errors = |other: &str| distance(&word.to_lowercase(), &other.to_lowercase());
    let (errors, nearest) = known.map(|other| (errors(other), other)).min()?;
    // In a short word, that many errors would leave nothing in common.
    (errors <= ERRORS_MAX && errors * 2 < word.len()).then(|| nearest.to_owned())
}
