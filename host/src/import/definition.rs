//! One definition of an export, from which members are taken: what nobody takes is reported in the end.

use serde_json::{Map, Value};

use crate::model::Pattern;
use crate::profile::Profile;
use crate::transform::request::check_url;

/// What a subscription's name may have.
const NAME_CHARS_MAX: usize = 200;
/// What a subscription's description may have.
const DESCRIPTION_CHARS_MAX: usize = 2_000;
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
    fn note_wrong(&mut self, name: &str, right: &str) {
        self.note(format!("`{}{}` {right}, and was left out", self.path, name.escape_debug()));
    }

    /// Takes a text, which may be written as a number.
    pub(super) fn text(&mut self, asked: &[&str]) -> Option<String> {
        match self.take_named(asked)? {
            (_, Value::String(text)) => Some(text.trim().to_owned()),
            (_, Value::Number(number)) => Some(number.to_string()),
            (name, _) => {
                self.note_wrong(name, "is no text");
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
                self.note_wrong(name, "is neither on nor off");
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
            self.note(format!("`{}{}` holds what is no text, which was left out", self.path, name.escape_debug()));
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

    /// Takes the URL, without which there is nothing to carry over.
    pub(super) fn url(&mut self, asked: &[&str]) -> Result<String, String> {
        let url = self.text(asked).ok_or("it has no URL")?;
        check_url(&url).map_err(|right| format!("its URL is not one that is sent to: {right}"))?;
        Ok(url)
    }

    /// Takes the secret. A masked one is none.
    pub(super) fn secret(&mut self, asked: &[&str]) -> Option<String> {
        let secret = self.text(asked)?;
        if secret.bytes().all(|byte| byte.is_ascii_graphic()) && !is_mask(&secret) {
            return Some(secret);
        }
        self.note("its secret is masked, or no visible ASCII: the host makes a new one, which the receiver must learn");
        None
    }

    /// Those of these event types that the CRM has; an error if there are none.
    pub(super) fn events(&mut self, given: &[impl AsRef<str>], profile: &Profile) -> Result<Vec<Value>, String> {
        let mut events: Vec<Value> = Vec::new();
        for event in given.iter().map(AsRef::as_ref) {
            if !has_event(profile, event) {
                self.note(format!("{} has no event `{}`: it was left out", profile.title, event.escape_debug()));
            } else if !events.contains(&Value::from(event)) {
                events.push(Value::from(event));
            }
        }
        if events.is_empty() { Err(format!("it names no event of {}", profile.title)) } else { Ok(events) }
    }

    /// The members that say what it is called: from one text, which may be too long for a name.
    pub(super) fn called(&mut self, text: Option<String>, otherwise: String, body: &mut Map<String, Value>) {
        let text = text.unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        let name: String = first.chars().filter(|char| !char.is_control()).take(NAME_CHARS_MAX).collect();
        let whole = name == text;
        body.insert("name".to_owned(), if name.trim().is_empty() { otherwise } else { name }.into());
        if !whole {
            self.described(text, body);
        }
    }

    /// The member that describes it.
    pub(super) fn described(&mut self, text: String, body: &mut Map<String, Value>) {
        let description: String = text.chars().take(DESCRIPTION_CHARS_MAX).collect();
        if description.len() < text.len() {
            self.note("its description was cut to 2,000 characters");
        }
        body.insert("description".to_owned(), description.into());
    }
}

/// Whether this is what an API shows instead of a secret.
pub(super) fn is_mask(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| matches!(char, '*' | '•' | '·'))
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

/// Whether the pattern is of this CRM's events.
fn has_event(profile: &Profile, text: &str) -> bool {
    let mut names = profile.event_types().iter().map(|entry| entry.name.as_str());
    match Pattern::parse(text) {
        Ok(Pattern::All) => true,
        Ok(Pattern::Below(words)) => names.any(|name| name.starts_with(&format!("{words}."))),
        Ok(Pattern::Exactly(kind)) => names.any(|name| name == kind.as_str()),
        Err(_) => false,
    }
}

/// The host that a URL names, for those that have no name.
pub(super) fn host_of(url: &str) -> String {
    url.parse::<url::Url>().ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// A condition that a value of the event's data is one of these; none if the host takes no such condition.
pub(super) fn is_one_of(path: &str, values: &[Value]) -> Option<String> {
    // JSON's literals of text and whole numbers are CEL's too.
    let plain = |value: &Value| value.is_string() || value.is_i64();
    let condition = match values {
        [one] if plain(one) => format!("event.data.{path} == {one}"),
        [_, _, ..] if values.iter().all(plain) => {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            format!("event.data.{path} in [{}]", values.join(", "))
        }
        _ => return None,
    };
    crate::matching::Condition::parse(&condition).is_ok().then_some(condition)
}
