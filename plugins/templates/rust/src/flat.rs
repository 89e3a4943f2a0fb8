//! Flattens nested JSON into one object.

use std::collections::HashMap;

use hookmill_plugin::json::{Json, Parts, string};

/// A builder of a flat object: JSON texts by key, in order.
#[derive(Default)]
pub struct Flat {
    members: Vec<(String, String)>,
    places: HashMap<String, usize>,
}

impl Flat {
    /// Inserts JSON text. An existing key keeps its position and gets the new value.
    pub fn insert(&mut self, key: String, json: String) {
        match self.places.get(&key) {
            Some(&place) => self.members[place].1 = json,
            None => {
                self.places.insert(key.clone(), self.members.len());
                self.members.push((key, json));
            }
        }
    }

    /// Inserts a value; its members and items get keys joined with `__`.
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

    /// Returns the object as JSON text.
    pub fn finish(self) -> String {
        let members: Vec<_> = self.members.iter().map(|(key, json)| format!("{}:{json}", string(key))).collect();
        format!("{{{}}}", members.join(","))
    }
}
