//! One definition of an export, from which members are taken: what nobody takes is reported in the end.
//!
//! A value that cannot be read is reported, and makes a draft: without it the definition would mean something else.

use serde_json::{Map, Value};

/// What is shown of a definition's name in a line of the report.
const LABEL_CHARS_MAX: usize = 60;

/// A definition, or an object within one.
pub(super) struct Definition<'a> {
    /// Where it stands: empty, or `trigger.`.
    path: String,
    members: Vec<(&'a str, &'a Value)>,
    /// Members of inner objects that nobody took.
    left: Vec<String>,
    notes: Vec<String>,
    draft: bool,
}

/// Whether a member of this name is the one that is asked for: `is_paused`, `isPaused` and `IsPaused` are `ispaused`.
pub(super) fn same_name(name: &str, asked: &str) -> bool {
    let letters = name.chars().filter(|char| !matches!(char, '_' | '-' | ' '));
    letters.map(|char| char.to_ascii_lowercase()).eq(asked.chars())
}

impl<'a> Definition<'a> {
    /// All of a definition.
    pub(super) fn new(members: &'a Map<String, Value>) -> Self {
        Self::at(String::new(), members)
    }

    fn at(path: String, members: &'a Map<String, Value>) -> Self {
        let members = members.iter().map(|(name, value)| (name.as_str(), value)).collect();
        Self { path, members, left: Vec::new(), notes: Vec::new(), draft: false }
    }

    /// What people know it by.
    pub(super) fn label(&self) -> Option<String> {
        let find = |asked| self.members.iter().find(|(name, _)| same_name(name, asked));
        let text = ["name", "description", "webhookid", "id"].into_iter().find_map(|asked| find(asked)?.1.as_str())?;
        Some(text.chars().take(LABEL_CHARS_MAX).collect())
    }

    /// Whether this is all that it has.
    pub(super) fn has_only(&self, asked: &str) -> bool {
        self.has(&[asked]) && self.members.iter().all(|(name, _)| same_name(name, asked))
    }

    /// Whether it has one of these.
    pub(super) fn has(&self, asked: &[&str]) -> bool {
        self.members.iter().any(|(name, value)| !is_empty(value) && is_one(name, asked))
    }

    /// Reports something.
    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }

    /// Reports something that changes what the definition means, so that somebody must look at it first.
    pub(super) fn doubt(&mut self, what: &str) {
        self.note(format!("{what}: it is a draft until you have looked at it"));
        self.draft = true;
    }

    /// Makes a draft of it.
    pub(super) fn make_draft(&mut self) {
        self.draft = true;
    }

    /// What is to be reported, and whether it is a draft.
    pub(super) fn finish(mut self) -> (Vec<String>, bool) {
        let left = self.all_left();
        if !left.is_empty() {
            self.notes.push(format!("without counterpart here, and left out: {}", left.join(", ")));
        }
        (self.notes, self.draft)
    }

    fn all_left(&self) -> Vec<String> {
        let own = self.members.iter().filter(|(_, value)| !is_empty(value));
        let own = own.map(|(name, _)| format!("`{}{}`", self.path, name.escape_debug()));
        own.chain(self.left.iter().cloned()).collect()
    }

    /// Takes the first of these that is there. What is empty is not.
    pub(super) fn take(&mut self, asked: &[&str]) -> Option<&'a Value> {
        self.take_named(asked).map(|(_, value)| value)
    }

    fn take_named(&mut self, asked: &[&str]) -> Option<(&'a str, &'a Value)> {
        let there = |asked| self.members.iter().position(|(name, value)| !is_empty(value) && same_name(name, asked));
        let index = asked.iter().copied().find_map(there)?;
        Some(self.members.remove(index))
    }

    /// Reports a member whose value is not what it must be.
    fn doubt_member(&mut self, name: &str, wrong: &str) {
        self.doubt(&format!("`{}{}` {wrong}, and was left out", self.path, name.escape_debug()));
    }

    /// Takes a text, which may be written as a number.
    pub(super) fn text(&mut self, asked: &[&str]) -> Option<String> {
        match self.take_named(asked)? {
            (_, Value::String(text)) => Some(text.trim().to_owned()),
            (_, Value::Number(number)) => Some(number.to_string()),
            (name, _) => {
                self.doubt_member(name, "is no text");
                None
            }
        }
    }

    /// Takes a switch, however it is written.
    pub(super) fn flag(&mut self, asked: &[&str]) -> Option<bool> {
        let (name, value) = self.take_named(asked)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_ascii_lowercase);
        match text.trim() {
            "true" | "1" | "yes" | "on" | "active" | "enabled" => Some(true),
            "false" | "0" | "no" | "off" | "inactive" | "disabled" | "paused" | "draft" => Some(false),
            _ => {
                self.doubt_member(name, "is neither on nor off");
                None
            }
        }
    }

    /// Takes a list, or one thing that stands for a list of one.
    pub(super) fn list(&mut self, asked: &[&str]) -> Vec<&'a Value> {
        self.take(asked).map(items).unwrap_or_default()
    }

    /// Takes a list of texts.
    pub(super) fn texts(&mut self, asked: &[&str]) -> Vec<&'a str> {
        let Some((name, value)) = self.take_named(asked) else { return Vec::new() };
        let items = items(value);
        if !items.iter().all(|item| item.is_string()) {
            self.doubt_member(name, "holds what is no text");
        }
        items.into_iter().filter_map(Value::as_str).collect()
    }

    /// Takes an object, or a list of one, if there is such a thing, and reads it. What nobody takes from it may change
    /// what it means: it is reported, and there is a draft.
    pub(super) fn inner<T>(&mut self, asked: &[&str], read: impl FnOnce(&mut Definition<'a>) -> T) -> Option<T> {
        let object = |value: &'a Value| match value.as_array().map(Vec::as_slice) {
            Some([one]) => one.as_object(),
            _ => value.as_object(),
        };
        let is_meant = |(name, value): &(&str, &'a Value)| is_one(name, asked) && object(value).is_some();
        let (name, value) = self.members.remove(self.members.iter().position(is_meant)?);
        let mut inner = Definition::at(format!("{}{}.", self.path, name.escape_debug()), object(value)?);
        let result = read(&mut inner);
        let left = inner.all_left();
        self.draft |= inner.draft || !left.is_empty();
        self.left.extend(left);
        self.notes.append(&mut inner.notes);
        Some(result)
    }
}

/// Whether this says nothing.
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
