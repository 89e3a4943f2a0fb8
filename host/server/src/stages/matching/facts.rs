//! An event as conditions see it.

use std::collections::HashMap;
use std::sync::Arc;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::Val;
use cel::{Context, Env};
use serde_json::Value;

use hookmill_model::Event;

/// An event as conditions see it; built once for all of them.
///
/// Integers that fit 64 bits are CEL integers, other numbers CEL doubles: a condition only compares them.
pub struct EventFacts<'a> {
    pub(super) context: Context<'a, 'a>,
    /// Bytes of the event's JSON: a bound of what reading any part of it costs.
    pub(super) bytes: usize,
}

impl EventFacts<'_> {
    /// Reads the event.
    pub fn of(event: &Event, env: &Arc<Env>) -> Self {
        let json = |text: &str| serde_json::from_str(text).map_or_else(|_| boxed(CelNull), to_cel);
        let changed = event.changed_fields.iter().flatten().map(|field| text(field.clone())).collect::<Vec<_>>();
        let facts = [
            ("id", text(event.id.as_str().to_owned())),
            ("type", text(event.kind.as_str().to_owned())),
            ("occurred_at", text(event.occurred_at.to_string())),
            ("data", json(event.data.get())),
            ("changed_fields", boxed(CelList::from(changed))),
            ("previous", event.previous.as_ref().map_or_else(|| boxed(CelNull), |previous| json(previous.get()))),
        ];
        let mut context = Context::with_env(env.clone());
        context.add_variable_as_val("event", map(facts.into_iter().map(|(name, value)| (name.to_owned(), value))));
        Self { context, bytes: event_bytes(event) }
    }
}

/// Returns the bytes of what a condition can read of an event.
pub(super) fn event_bytes(event: &Event) -> usize {
    let fields: usize = event.changed_fields.iter().flatten().map(String::len).sum();
    event.data.get().len() + event.previous.as_ref().map_or(0, |previous| previous.get().len()) + fields
}

fn boxed(value: impl Val + 'static) -> Box<dyn Val> {
    Box::new(value)
}

fn text(text: String) -> Box<dyn Val> {
    boxed(CelString::from(text))
}

fn map(members: impl Iterator<Item = (String, Box<dyn Val>)>) -> Box<dyn Val> {
    let map: HashMap<_, _> = members.map(|(name, value)| (CelMapKey::from(name), value)).collect();
    boxed(CelMap::from(map))
}

/// Converts by hand, since `cel`'s own conversion through serde turns serde_json's exact numbers into maps.
fn to_cel(json: Value) -> Box<dyn Val> {
    match json {
        Value::Null => boxed(CelNull),
        Value::Bool(bool) => boxed(CelBool::from(bool)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => boxed(CelInt::from(int)),
            (None, Some(uint)) => boxed(CelUInt::from(uint)),
            (None, None) => boxed(CelDouble::from(number.as_str().parse().unwrap_or(f64::NAN))),
        },
        Value::String(string) => text(string),
        Value::Array(items) => boxed(CelList::from(items.into_iter().map(to_cel).collect::<Vec<_>>())),
        Value::Object(members) => map(members.into_iter().map(|(name, value)| (name, to_cel(value)))),
    }
}
