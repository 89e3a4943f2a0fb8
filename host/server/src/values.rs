//! Values that events are searched by: those at the paths that their space indexes.
//!
//! The paths are kept in memory. Values are read from an event before it is committed, on its caller's thread; an event of a
//! space without paths is not read.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use hookmill_model::{FieldPath, SpaceId};
use hookmill_store::{IndexedValue, Store, StoreError};
use serde_json::value::RawValue;

use crate::stages::json::{Level, Members};

/// Spaces read from the store at a time.
const PAGE: usize = 1_000;

/// The paths that spaces index.
#[derive(Debug, Default)]
pub struct IndexedPaths(RwLock<HashMap<SpaceId, Arc<[FieldPath]>>>);

impl IndexedPaths {
    /// Reads the paths of every space.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let (paths, mut after) = (Self::default(), None);
        loop {
            let page = store.spaces(after, PAGE).await?;
            after = page.last().map(|space| space.id.clone());
            let last = page.len() < PAGE;
            page.into_iter().for_each(|space| paths.set(&space.id, space.indexed_paths));
            if last {
                return Ok(paths);
            }
        }
    }

    /// Sets the paths of a space, for events accepted from now on.
    pub fn set(&self, space: &SpaceId, paths: Vec<FieldPath>) {
        // Every change is one step.
        let mut spaces = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if paths.is_empty() {
            spaces.remove(space);
        } else {
            spaces.insert(space.clone(), paths.into());
        }
    }

    /// Returns the paths of a space; none if there are none.
    pub fn of(&self, space: &SpaceId) -> Option<Arc<[FieldPath]>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(space).cloned()
    }
}

/// Returns the texts, numbers and booleans at these paths of an event's data, numbers as written. Longer ones than
/// [`IndexedValue::BYTES_MAX`] are left out.
pub fn values(paths: &[FieldPath], data: &RawValue) -> Vec<IndexedValue> {
    let wanted: Vec<(usize, &str)> = paths.iter().map(FieldPath::as_str).enumerate().collect();
    let mut found = vec![None; paths.len()];
    collect(data, &wanted, &mut found);
    let found =
        paths.iter().zip(found).filter_map(|(path, value)| Some(IndexedValue { path: path.clone(), value: value? }));
    found.filter(|found| found.value.len() <= IndexedValue::BYTES_MAX).collect()
}

/// Reads a value at the rest of each wanted path, which is given with its number. Each level is read once for all paths.
fn collect(value: &RawValue, wanted: &[(usize, &str)], found: &mut [Option<String>]) {
    let Ok(Level::Object(Members(members))) = Level::of(value) else { return };
    for (name, value) in members {
        let mut below = Vec::new();
        for &(number, path) in wanted {
            let (member, rest) = path.split_once('.').map_or((path, None), |(member, rest)| (member, Some(rest)));
            if member != name {
                continue;
            }
            // Of a repeated name, the last value counts.
            found[number] = None;
            match rest {
                Some(rest) => below.push((number, rest)),
                None => found[number] = scalar(value),
            }
        }
        if !below.is_empty() {
            collect(value, &below, found);
        }
    }
}

/// Returns a text, or a number or boolean as written.
fn scalar(value: &RawValue) -> Option<String> {
    match Level::of(value) {
        Ok(Level::String(text)) => Some(text),
        Ok(Level::Other(text)) if text != "null" => Some(text.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(paths: &[&str], data: &str) -> Vec<(String, String)> {
        let paths: Vec<_> = paths.iter().map(|path| FieldPath::parse(path).expect("a path")).collect();
        let data = RawValue::from_string(data.to_owned()).expect("JSON");
        values(&paths, &data).into_iter().map(|found| (found.path.to_string(), found.value)).collect()
    }

    fn found(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn texts_numbers_and_booleans_are_read_as_written() {
        let data = r#"{"deal": {"id": "d\u002d1", "value": 1.50e2, "won": true, "contact": {"id": 7}}, "n": -0}"#;
        assert_eq!(
            read(&["deal.id", "deal.value", "deal.won", "deal.contact.id", "n"], data),
            found(&[
                ("deal.id", "d-1"),
                ("deal.value", "1.50e2"),
                ("deal.won", "true"),
                ("deal.contact.id", "7"),
                ("n", "-0")
            ])
        );
    }

    #[test]
    fn null_objects_arrays_and_what_is_absent_have_no_value() {
        let data = r#"{"a": null, "b": {"c": 1}, "d": [{"e": 1}], "f": ""}"#;
        assert_eq!(read(&["a", "b", "d", "d.e", "x", "b.c.y", "f"], data), found(&[("f", "")]));
        assert_eq!(read(&["a"], "[1]"), []);
        assert_eq!(read(&["a"], "7"), []);
    }

    #[test]
    fn of_a_repeated_name_the_last_value_counts() {
        assert_eq!(read(&["a"], r#"{"a": 1, "a": 2}"#), found(&[("a", "2")]));
        assert_eq!(read(&["a.b"], r#"{"a": {"b": 1}, "a": {"c": 2}}"#), []);
        assert_eq!(read(&["a.b"], r#"{"a": {"b": 1}, "a": null}"#), []);
    }

    #[test]
    fn a_value_that_is_too_long_is_left_out() {
        let data = |bytes| format!(r#"{{"a": "{}"}}"#, "x".repeat(bytes));
        assert_eq!(read(&["a"], &data(256)).len(), 1);
        assert_eq!(read(&["a"], &data(257)), []);
    }
}
