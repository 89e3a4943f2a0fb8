//! Erasures: deletions that a caller asked for, of which nothing can be read back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DeliveryId, ErasureId, EventId, SpaceId, SubscriptionId};

/// What an erasure erases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureTarget {
    /// An event with its deliveries. None once it is erased, since its producer may have chosen a telling id.
    Event(Option<EventId>),
    /// A delivery.
    Delivery(DeliveryId),
    /// The deliveries of a subscription. Their events stay.
    Subscription(SubscriptionId),
    /// The events that hold a value, with their deliveries.
    Value {
        /// The path in the data or the previous data: members joined by dots. An array on the way is looked through.
        path: String,
        /// The value: a text, a number, true, false or null. None once it is erased.
        value: Option<Value>,
    },
    /// A space with all it has.
    Space,
}

impl ErasureTarget {
    /// This, without what must not be kept when it is erased.
    #[must_use]
    pub fn erased(self) -> Self {
        match self {
            Self::Event(_) => Self::Event(None),
            Self::Value { path, .. } => Self::Value { path, value: None },
            other => other,
        }
    }

    /// Whether the JSON text of an event's data holds this value.
    pub fn is_in(&self, data: &str) -> bool {
        let Self::Value { path, value: Some(wanted) } = self else { return false };
        let path: Vec<&str> = path.split('.').collect();
        serde_json::from_str(data).is_ok_and(|data| holds(&data, &path, wanted))
    }
}

fn holds(value: &Value, path: &[&str], wanted: &Value) -> bool {
    match (value, path) {
        (Value::Array(items), path) => items.iter().any(|item| holds(item, path, wanted)),
        (Value::Object(members), [first, rest @ ..]) => {
            members.get(*first).is_some_and(|member| holds(member, rest, wanted))
        }
        (value, []) => value == wanted,
        _ => false,
    }
}

/// How far an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// Rows are deleted.
    Erasing,
    /// No row is left; what rows left behind in the file is overwritten.
    Cleaning,
    /// Nothing can be read back.
    Done,
}

/// An erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// Its space, which may be gone.
    pub space: SpaceId,
    /// What it erases.
    pub target: ErasureTarget,
    /// How far it is.
    pub state: ErasureState,
    /// The events that were searched for the value.
    pub searched: u64,
    /// The events that were erased.
    pub events: u64,
    /// The deliveries that were erased.
    pub deliveries: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was done.
    pub finished_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_at_its_path_and_in_arrays_on_the_way_and_nowhere_else() {
        let target = |path: &str, value: Value| ErasureTarget::Value { path: path.to_owned(), value: Some(value) };
        let data = r#"{"lead": {"email": "a\u0040b.c", "age": 7}, "all": [{"email": "x"}, {"email": ["y", "z"]}]}"#;
        assert!(target("lead.email", "a@b.c".into()).is_in(data));
        assert!(target("lead.age", 7.into()).is_in(data));
        assert!(target("all.email", "x".into()).is_in(data));
        assert!(target("all.email", "z".into()).is_in(data));
        assert!(!target("lead.email", "a@b".into()).is_in(data));
        assert!(!target("lead.age", "7".into()).is_in(data));
        assert!(!target("lead", 7.into()).is_in(data));
        assert!(!target("email", "a@b.c".into()).is_in(data));
    }
}
