//! Flattens nested JSON into one object.

use std::collections::BTreeSet;

use hookmill_plugin::form::underscored;
use hookmill_plugin::json::{Json, Parts, string};

/// A builder of a flat object.
#[derive(Default)]
pub(crate) struct Flat {
    json: String,
    keys: BTreeSet<String>,
}

impl Flat {
    /// Inserts `value` under `key`, its members and items under longer keys.
    ///
    /// A list of strings, numbers, booleans and nulls stays a list, which Zapier shows as one field. Any other list is
    /// flattened by position (`data__owners__0__name`), unless `line_items` names it. An empty object becomes null.
    pub(crate) fn insert(&mut self, key: &str, value: Json<'_>, line_items: &[String]) {
        match value.parts() {
            Parts::Object(members) if members.is_empty() => self.insert_leaf(key, "null"),
            Parts::Object(members) => {
                for (member, value) in members {
                    self.insert(&underscored(key, &member), value, line_items);
                }
            }
            Parts::Array(items) if items.iter().any(has_parts) && !line_items.iter().any(|named| named == key) => {
                for (index, item) in items.into_iter().enumerate() {
                    self.insert(&underscored(key, &index.to_string()), item, line_items);
                }
            }
            Parts::Array(_) | Parts::Text(_) | Parts::Other(_) => self.insert_leaf(key, value.text()),
        }
    }

    /// Inserts a member whose value is JSON text.
    ///
    /// Two paths may give the same key (`{"a": {"b": 1}, "a__b": 2}`): the later one gets a number, so that no value is
    /// lost.
    pub(crate) fn insert_leaf(&mut self, key: &str, leaf: &str) {
        let mut free = key.to_owned();
        let mut number = 2;
        while self.keys.contains(&free) {
            free = format!("{key}_{number}");
            number += 1;
        }
        let before = if self.keys.is_empty() { "{" } else { "," };
        self.json.extend([before, &string(&free), ":", leaf]);
        self.keys.insert(free);
    }

    /// Returns the object as JSON text.
    pub(crate) fn finish(self) -> String {
        if self.keys.is_empty() { "{}".to_owned() } else { self.json + "}" }
    }
}

fn has_parts(json: &Json<'_>) -> bool {
    json.text().starts_with(['{', '['])
}

#[cfg(test)]
mod tests {
    use super::{Flat, Json};

    fn flat(value: &str, line_items: &[&str]) -> String {
        let mut flat = Flat::default();
        let line_items: Vec<_> = line_items.iter().map(ToString::to_string).collect();
        flat.insert("data", Json::read(value).unwrap_or_else(|e| panic!("{e}")), &line_items);
        flat.finish()
    }

    #[test]
    fn no_value_is_lost_if_two_paths_give_the_same_key() {
        let value = r#"{"a": {"b": 1}, "a__b": 2, "a__b_2": 3, "a__b": 4}"#;
        let expected = r#"{"data__a__b":1,"data__a__b_2":2,"data__a__b_2_2":3,"data__a__b_3":4}"#;
        assert_eq!(flat(value, &[]), expected);
    }

    #[test]
    fn only_a_named_list_of_objects_stays_a_list() {
        let value = r#"{"p": [{"n": 1}], "q": [{"n": 2}]}"#;
        assert_eq!(flat(value, &["data__q"]), r#"{"data__p__0__n":1,"data__q":[{"n": 2}]}"#);
    }
}
