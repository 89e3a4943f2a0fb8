//! Triggers: the changes that a subscription waits for.
//!
//! An event reports changes in two ways: by naming the fields, or by its previous data, with which each field is
//! compared. Without either, no field is known to have changed; a status trigger then reads the status from the data
//! alone, since a type such as `deal.status_changed` implies the change.

use serde_json::Value;

use hookmill_model::{Event, FieldPath, Invalid, StatusChange, Trigger};

/// The most fields of one trigger: more than any form has.
const FIELDS_MAX: usize = 100;

/// The changes that an event reports; read once for all triggers.
#[derive(Clone, Debug)]
pub struct EventChanges {
    data: Value,
    previous: Option<Value>,
    named: Option<Vec<String>>,
}

impl EventChanges {
    /// Reads the event.
    pub fn of(event: &Event) -> Self {
        let previous = event.previous.as_ref();
        Self {
            data: serde_json::from_str(event.data.get()).unwrap_or(Value::Null),
            previous: previous.map(|previous| serde_json::from_str(previous.get()).unwrap_or(Value::Null)),
            named: event.changed_fields.clone(),
        }
    }

    /// Returns the event's data.
    pub(super) fn data(&self) -> &Value {
        &self.data
    }

    /// Returns the event's previous data, if the producer sent it.
    pub(super) fn previous(&self) -> Option<&Value> {
        self.previous.as_ref()
    }

    /// Returns whether the changes fire the trigger: any of its fields changed, or the status changed as it requires.
    pub fn fire(&self, trigger: &Trigger) -> bool {
        trigger.fields.iter().any(|field| self.changed(field))
            || trigger.status.as_ref().is_some_and(|status| self.status(status))
    }

    fn changed(&self, field: &str) -> bool {
        match (&self.named, &self.previous) {
            // Named fields are complete; previous data sent along with them need not be.
            (Some(named), _) => named.iter().any(|named| named == field),
            (None, Some(previous)) => at(previous, field) != at(&self.data, field),
            (None, None) => false,
        }
    }

    fn status(&self, status: &StatusChange) -> bool {
        let reports_changes = self.named.is_some() || self.previous.is_some();
        let was = self.previous.as_ref().and_then(|previous| at(previous, &status.field));
        (!reports_changes || self.changed(&status.field))
            && status.from.as_ref().is_none_or(|from| was == Some(from))
            && status.to.as_ref().is_none_or(|to| at(&self.data, &status.field) == Some(to))
    }
}

/// Returns the value at a dotted path. A null counts as absent, so filling in a field is a change.
fn at<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    field.split('.').try_fold(value, |value, member| value.get(member)).filter(|value| !value.is_null())
}

/// Checks a trigger.
///
/// # Errors
/// If it names neither fields nor a status, too many fields, or an invalid field or status.
pub fn check_trigger(trigger: &Trigger) -> Result<(), Invalid> {
    if trigger.fields.is_empty() && trigger.status.is_none() {
        return Err(Invalid::new("a trigger needs `fields`, a `status`, or both"));
    }
    if trigger.fields.len() > FIELDS_MAX {
        return Err(Invalid::new(format!("a trigger may have at most {FIELDS_MAX} fields")));
    }
    let status = trigger.status.iter();
    let mut fields = trigger.fields.iter().chain(status.clone().map(|status| &status.field));
    fields.try_for_each(|field| FieldPath::parse(field).map(drop))?;
    let compound = |value: &Value| value.is_array() || value.is_object();
    if status.flat_map(|status| [&status.from, &status.to]).flatten().any(compound) {
        return Err(Invalid::new("expected a status that is a text, a number or a boolean"));
    }
    Ok(())
}
