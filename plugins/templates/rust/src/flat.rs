//! Nested JSON as one flat object.

use std::collections::HashMap;

use hookmill_plugin::json::{Json, Parts, string};

/// A flat object in the making: JSON texts by key, in order.
#[derive(Default)]
pub struct Flat {
    members: Vec<(String, String)>,
    places: HashMap<String, usize>,
}

impl Flat {
    /// Inserts JSON text. A key that is there already keeps its place.
    pub fn insert(&mut self, key: String, json: String) {
        match self.places.get(&key) {
            Some(&place) => self.members[place].1 = json,
            None => {
                self.places.insert(key.clone(), self.members.len());
                self.members.push((key, json));
            }
        }
    }

    /// Inserts a value, what is in it under keys joined with `__`.
    pub fn flatten(&mut self, key: String, value: Json<'_>) {
        match value.parts() {
            Parts::Object(members) if !members.is_empty() => {
                members.into_iter().for_each(|(name, value)| self.flatten(format!("{key}__{name}"), value));
            }
            Parts::Array(items) if !items.is_empty() => {
                items.into_iter().enumerate().for_each(|(at, value)| self.flatten(format!("{key}__{at}"), value));
            }
            Parts::Object(_) | Parts::Array(_) => self.insert(key, "null".into()),
            Parts::Text(text) => self.insert(key, string(&text)),
            // Numbers, booleans and null stay as they were written.
            Parts::Other(text) => self.insert(key, text.into()),
        }
    }

    /// The object as JSON text.
    pub fn finish(self) -> String {
        let members: Vec<_> = self.members.iter().map(|(key, json)| format!("{}:{json}", string(key))).collect();
        format!("{{{}}}", members.join(","))
    }
}
