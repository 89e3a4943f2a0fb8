//! A definition in an export, from which members are taken; members that are left are reported in the end.
//!
//! A value that cannot be read is reported and makes the subscription a draft: without it the definition would have a
//! different meaning.

use serde_json::{Map, Value};

/// Maximum length of a definition's name in the report.
const LABEL_CHARS_MAX: usize = 60;

/// A definition of another system, or an object within one.
pub(super) struct ForeignDefinition<'a> {
    /// Path: empty, or `trigger.`.
    path: String,
    members: Vec<(&'a str, &'a Value)>,
    /// Members of inner objects that were not taken.
    left: Vec<String>,
    notes: Vec<String>,
    draft: bool,
}

/// Returns whether a member has the requested name: `is_paused`, `isPaused` and `IsPaused` are `ispaused`.
pub(super) fn same_name(name: &str, asked: &str) -> bool {
    let letters = name.chars().filter(|char| !matches!(char, '_' | '-' | ' '));
    letters.map(|char| char.to_ascii_lowercase()).eq(asked.chars())
}

impl<'a> ForeignDefinition<'a> {
    /// Wraps a whole definition.
    pub(super) fn new(members: &'a Map<String, Value>) -> Self {
        Self::at(String::new(), members)
    }

    fn at(path: String, members: &'a Map<String, Value>) -> Self {
        let members = members.iter().map(|(name, value)| (name.as_str(), value)).collect();
        Self { path, members, left: Vec::new(), notes: Vec::new(), draft: false }
    }

    /// Returns the name by which people know it.
    pub(super) fn label(&self) -> Option<String> {
        let find = |asked| self.members.iter().find(|(name, _)| same_name(name, asked));
        let text = ["name", "description", "webhookid", "id"].into_iter().find_map(|asked| find(asked)?.1.as_str())?;
        Some(text.chars().take(LABEL_CHARS_MAX).collect())
    }

    /// Returns whether this is its only member.
    pub(super) fn has_only(&self, asked: &str) -> bool {
        self.has(&[asked]) && self.members.iter().all(|(name, _)| same_name(name, asked))
    }

    /// Returns whether it has one of these members.
    pub(super) fn has(&self, asked: &[&str]) -> bool {
        self.members.iter().any(|(name, value)| !is_empty(value) && is_one(name, asked))
    }

    /// Adds a note to the report.
    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }

    /// Reports something that changes the meaning of the definition, which someone must review before it is activated.
    pub(super) fn doubt(&mut self, what: &str) {
        self.note(format!("{what}: created as a draft for review"));
        self.draft = true;
    }

    /// Makes the subscription a draft.
    pub(super) fn make_draft(&mut self) {
        self.draft = true;
    }

    /// Returns the report, and whether the subscription is a draft.
    pub(super) fn finish(mut self) -> (Vec<String>, bool) {
        let left = self.all_left();
        if !left.is_empty() {
            self.notes.push(format!("ignored, no equivalent: {}", left.join(", ")));
        }
        (self.notes, self.draft)
    }

    fn all_left(&self) -> Vec<String> {
        let own = self.members.iter().filter(|(_, value)| !is_empty(value));
        let own = own.map(|(name, _)| format!("`{}{}`", self.path, name.escape_debug()));
        own.chain(self.left.iter().cloned()).collect()
    }

    /// Takes the first of these members that is present and not empty.
    pub(super) fn take(&mut self, asked: &[&str]) -> Option<&'a Value> {
        self.take_named(asked).map(|(_, value)| value)
    }

    fn take_named(&mut self, asked: &[&str]) -> Option<(&'a str, &'a Value)> {
        let there = |asked| self.members.iter().position(|(name, value)| !is_empty(value) && same_name(name, asked));
        let index = asked.iter().copied().find_map(there)?;
        Some(self.members.remove(index))
    }

    /// Reports a member with a wrong value.
    fn doubt_member(&mut self, name: &str, wrong: &str) {
        self.doubt(&format!("`{}{}` {wrong} and was ignored", self.path, name.escape_debug()));
    }

    /// Takes a string, which may be written as a number.
    pub(super) fn text(&mut self, asked: &[&str]) -> Option<String> {
        match self.take_named(asked)? {
            (_, Value::String(text)) => Some(text.trim().to_owned()),
            (_, Value::Number(number)) => Some(number.to_string()),
            (name, _) => {
                self.doubt_member(name, "is not a string");
                None
            }
        }
    }

    /// Takes a switch, in any spelling.
    pub(super) fn flag(&mut self, asked: &[&str]) -> Option<bool> {
        let (name, value) = self.take_named(asked)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_ascii_lowercase);
        match text.trim() {
            "true" | "1" | "yes" | "on" | "active" | "enabled" => Some(true),
            "false" | "0" | "no" | "off" | "inactive" | "disabled" | "paused" | "draft" => Some(false),
            _ => {
                self.doubt_member(name, "is neither true nor false");
                None
            }
        }
    }

    /// Takes a list, or a single value as a list of one.
    pub(super) fn list(&mut self, asked: &[&str]) -> Vec<&'a Value> {
        self.take(asked).map(items).unwrap_or_default()
    }

    /// Takes a list of strings.
    pub(super) fn texts(&mut self, asked: &[&str]) -> Vec<&'a str> {
        let Some((name, value)) = self.take_named(asked) else { return Vec::new() };
        let items = items(value);
        if !items.iter().all(|item| item.is_string()) {
            self.doubt_member(name, "has items that are not strings");
        }
        items.into_iter().filter_map(Value::as_str).collect()
    }

    /// Takes an object, or a list of one object, if present, and reads it. Members that are left in it may change its
    /// meaning: they are reported and make the subscription a draft.
    pub(super) fn inner<T>(&mut self, asked: &[&str], read: impl FnOnce(&mut ForeignDefinition<'a>) -> T) -> Option<T> {
        let object = |value: &'a Value| match value.as_array().map(Vec::as_slice) {
            Some([one]) => one.as_object(),
            _ => value.as_object(),
        };
        let matches = |(name, value): &(&str, &'a Value)| is_one(name, asked) && object(value).is_some();
        let (name, value) = self.members.remove(self.members.iter().position(matches)?);
        let mut inner = ForeignDefinition::at(format!("{}{}.", self.path, name.escape_debug()), object(value)?);
        let result = read(&mut inner);
        let left = inner.all_left();
        self.draft |= inner.draft || !left.is_empty();
        self.left.extend(left);
        self.notes.append(&mut inner.notes);
        Some(result)
    }
}

/// Returns whether a value is empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_one(name: &str, asked: &[&str]) -> bool {
    asked.iter().any(|asked| same_name(name, asked))
}

fn items(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}
