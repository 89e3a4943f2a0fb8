//! Conversions that several systems share.

use hookmill_model::Pattern;
use serde_json::{Map, Value};

use super::foreign::ForeignDefinition;
use crate::stages::matching::Condition;
use crate::stages::request::check_url;
use crate::subscriptions::profile::Profile;

/// Maximum length of a subscription's name.
const NAME_CHARS_MAX: usize = 200;
/// Maximum length of a subscription's description.
const DESCRIPTION_CHARS_MAX: usize = 2_000;

impl ForeignDefinition<'_> {
    /// Takes the URL, which is required.
    pub(super) fn url(&mut self, asked: &[&str]) -> Result<String, String> {
        let url = self.text(asked).ok_or("the definition has no URL")?;
        check_url(&url).map_err(|right| format!("the URL is not accepted: {right}"))?;
        Ok(url)
    }

    /// Takes the secret, unless it is masked.
    pub(super) fn secret(&mut self, asked: &[&str]) -> Option<String> {
        let secret = self.text(asked)?;
        if secret.bytes().all(|byte| byte.is_ascii_graphic()) && !is_mask(&secret) {
            return Some(secret);
        }
        self.note("the secret is masked or not visible ASCII: the host generates a new one, which the receiver needs");
        None
    }

    /// Returns those of the given event types that the CRM has; an error if there are none.
    pub(super) fn events(&mut self, given: &[impl AsRef<str>], profile: &Profile) -> Result<Vec<Value>, String> {
        let mut events: Vec<Value> = Vec::new();
        for event in given.iter().map(AsRef::as_ref) {
            if !has_event(profile, event) {
                self.note(format!("{} has no event `{}`: it was ignored", profile.title, event.escape_debug()));
            } else if !events.contains(&Value::from(event)) {
                events.push(Value::from(event));
            }
        }
        if events.is_empty() { Err(format!("the definition has no event of {}", profile.title)) } else { Ok(events) }
    }

    /// Sets the name from a text. If that is too long for a name, it becomes the description too.
    pub(super) fn called(&mut self, text: Option<String>, otherwise: String, body: &mut Map<String, Value>) {
        let text = text.unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        let name: String = first.chars().filter(|char| !char.is_control()).take(NAME_CHARS_MAX).collect();
        let whole = name == text;
        body.insert("name".to_owned(), if name.trim().is_empty() { otherwise } else { name }.into());
        if !whole {
            self.described(&text, body);
        }
    }

    /// Sets the description.
    pub(super) fn described(&mut self, text: &str, body: &mut Map<String, Value>) {
        let description: String = text.chars().take(DESCRIPTION_CHARS_MAX).collect();
        if description.len() < text.len() {
            self.note("the description was truncated to 2,000 characters");
        }
        body.insert("description".to_owned(), description.into());
    }
}

/// Returns whether a text is what an API shows instead of a secret: masked completely, or except for its ends.
pub(super) fn is_mask(text: &str) -> bool {
    let masks = |char| matches!(char, '*' | '•' | '·');
    !text.is_empty() && (text.chars().all(masks) || text.split(|char| !masks(char)).any(|run| run.chars().count() >= 3))
}

/// Returns whether the pattern matches events of this CRM.
fn has_event(profile: &Profile, text: &str) -> bool {
    let mut names = profile.event_types().iter().map(|entry| entry.name.as_str());
    match Pattern::parse(text) {
        Ok(Pattern::All) => true,
        Ok(Pattern::Below(words)) => names.any(|name| name.starts_with(&format!("{words}."))),
        Ok(Pattern::Exactly(kind)) => names.any(|name| name == kind.as_str()),
        Err(_) => false,
    }
}

/// Returns the host of a URL, for definitions without a name.
pub(super) fn host_of(url: &str) -> String {
    url.parse::<url::Url>().ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Returns the condition that a value of the event's data is one of these; none if there is no such condition.
pub(super) fn is_one_of(path: &str, values: &[Value]) -> Option<String> {
    // JSON's literals of strings and integers are CEL's too.
    let plain = |value: &Value| value.is_string() || value.is_i64();
    let condition = match values {
        [one] if plain(one) => format!("event.data.{path} == {one}"),
        [_, _, ..] if values.iter().all(plain) => {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            format!("event.data.{path} in [{}]", values.join(", "))
        }
        _ => return None,
    };
    Condition::parse(&condition).is_ok().then_some(condition)
}
