//! Triggers: what must have changed.
//!
//! An event tells of changes in two ways: by naming the fields, or by the data as it was before, against which each
//! field is held. One that tells neither changes no field that anybody knows of; whether its status is the one that a
//! trigger waits for is then read from its data alone, since a type such as `deal.status_changed` says the rest.

use serde_json::Value;

use hookmill_model::{Event, Invalid, StatusChange, Trigger};

/// Fields of one trigger: more than any form has.
const FIELDS_MAX: usize = 100;
/// The longest path of a field.
const FIELD_BYTES_MAX: usize = 256;

/// What an event tells of changes; read from it once for all triggers.
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

    /// Whether they pull the trigger: any of its fields changed, or the status as it wants.
    pub fn fire(&self, trigger: &Trigger) -> bool {
        trigger.fields.iter().any(|field| self.changed(field))
            || trigger.status.as_ref().is_some_and(|status| self.status(status))
    }

    fn changed(&self, field: &str) -> bool {
        match (&self.named, &self.previous) {
            // Who names what changed names all of it; what comes with it as it was before need not be whole.
            (Some(named), _) => named.iter().any(|named| named == field),
            (None, Some(previous)) => at(previous, field) != at(&self.data, field),
            (None, None) => false,
        }
    }

    fn status(&self, status: &StatusChange) -> bool {
        let tells = self.named.is_some() || self.previous.is_some();
        let was = self.previous.as_ref().and_then(|previous| at(previous, &status.field));
        (!tells || self.changed(&status.field))
            && status.from.as_ref().is_none_or(|from| was == Some(from))
            && status.to.as_ref().is_none_or(|to| at(&self.data, &status.field) == Some(to))
    }
}

/// The value at members joined by dots. A null is as good as none: filling a field in changes it from there.
fn at<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    field.split('.').try_fold(value, |value, member| value.get(member)).filter(|value| !value.is_null())
}

/// Checks a trigger.
///
/// # Errors
/// If it has nothing to wait for, or a field that is none.
pub fn check_trigger(trigger: &Trigger) -> Result<(), Invalid> {
    if trigger.fields.is_empty() && trigger.status.is_none() {
        return Err(Invalid::new("a trigger names `fields`, a `status`, or both"));
    }
    if trigger.fields.len() > FIELDS_MAX {
        return Err(Invalid::new(format!("a trigger has at most {FIELDS_MAX} fields")));
    }
    let status = trigger.status.iter();
    let mut fields = trigger.fields.iter().chain(status.clone().map(|status| &status.field));
    if fields.any(|field| field.len() > FIELD_BYTES_MAX || field.split('.').any(str::is_empty)) {
        return Err(Invalid::new(format!(
            "a field is members joined by dots (`custom_fields.invoice_email`), at most {FIELD_BYTES_MAX} bytes"
        )));
    }
    let compound = |value: &Value| value.is_array() || value.is_object();
    if status.flat_map(|status| [&status.from, &status.to]).flatten().any(compound) {
        return Err(Invalid::new("a status is a text, a number or a boolean"));
    }
    Ok(())
}
