//! The defaults of a JSON Schema, filled into a value.
//!
//! A property that an object lacks gets the `default` of its schema, in nested objects and arrays too. An object that is
//! missing is not created for the defaults within it: its absence may have a meaning.

use serde_json::Value;

/// References that are followed from one schema to the next; more are a cycle.
const REFERENCES_MAX: usize = 16;

/// Nesting depth of a default: what is saved must be readable, and the parser stops at 128.
const DEPTH_MAX: usize = 64;

/// Properties that are visited and bytes of references that are followed: a short schema and a long value can require the
/// product of both, which blocks a thread. These take some ten milliseconds.
const STEPS_MAX: usize = 1_000_000;

/// With its defaults, the value would be larger or deeper than allowed, or filling them in takes too long.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Fills the defaults of `schema` into `value`, which grows by `bytes_max` at most: a schema that refers to itself could
/// go on indefinitely.
///
/// # Errors
/// If that is not enough.
pub fn fill(schema: &Value, value: &mut Value, bytes_max: usize) -> Result<(), TooLarge> {
    Filling { root: schema, bytes_left: bytes_max, steps_left: STEPS_MAX }.fill(schema, value, 0)
}

struct Filling<'a> {
    root: &'a Value,
    bytes_left: usize,
    steps_left: usize,
}

impl<'a> Filling<'a> {
    fn fill(&mut self, schema: &'a Value, value: &mut Value, depth: usize) -> Result<(), TooLarge> {
        let schema = self.resolved(schema)?;
        match value {
            Value::Object(members) => {
                for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    self.step(1)?;
                    if let Some(value) = members.get_mut(name) {
                        self.fill(schema, value, depth + 1)?;
                    } else if let Some(default) = self.default(schema)? {
                        self.take(name.len() + default.to_string().len(), depth)?;
                        self.fill(schema, members.entry(name).or_insert(default.clone()), depth + 1)?;
                    }
                }
            }
            Value::Array(elements) => {
                if let Some(schema) = schema.get("items") {
                    elements.iter_mut().try_for_each(|element| self.fill(schema, element, depth + 1))?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Ok(())
    }

    /// A default next to a reference takes precedence over that of the referenced schema.
    fn default(&mut self, schema: &'a Value) -> Result<Option<&'a Value>, TooLarge> {
        match schema.get("default") {
            Some(default) => Ok(Some(default)),
            None => Ok(self.resolved(schema)?.get("default")),
        }
    }

    /// The schema that a chain of references within the same document leads to.
    fn resolved(&mut self, schema: &'a Value) -> Result<&'a Value, TooLarge> {
        let mut resolved = schema;
        for _ in 0..REFERENCES_MAX {
            let pointer =
                resolved.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
            self.step(1 + pointer.map_or(0, str::len))?;
            match pointer.and_then(|pointer| self.root.pointer(pointer)) {
                Some(referred) => resolved = referred,
                None => break,
            }
        }
        Ok(resolved)
    }

    fn step(&mut self, steps: usize) -> Result<(), TooLarge> {
        self.steps_left = self.steps_left.checked_sub(steps).ok_or(TooLarge)?;
        Ok(())
    }

    fn take(&mut self, bytes: usize, depth: usize) -> Result<(), TooLarge> {
        if depth >= DEPTH_MAX {
            return Err(TooLarge);
        }
        // Plus a comma, a colon and two quotes.
        self.bytes_left = self.bytes_left.checked_sub(bytes + 4).ok_or(TooLarge)?;
        Ok(())
    }
}
