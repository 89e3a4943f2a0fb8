//! Form fields from JSON.

use crate::json::{Json, Parts};
use crate::{Event, Failure};

/// The fields of a form body, in order.
pub type Fields = Vec<(String, String)>;

/// Joins a member's name to a field's name with brackets, which PHP and most JavaScript libraries parse:
/// `data[deal][id]`.
pub fn bracketed(name: &str, member: &str) -> String {
    [name, "[", member, "]"].concat()
}

/// Joins a member's name to a field's name with `__`, for receivers that do not parse names: `data__deal__id`.
pub fn underscored(name: &str, member: &str) -> String {
    [name, "__", member].concat()
}

/// Returns the fields of the events: `id`, `type`, `occurred_at` and the fields of `data`. With several events, or if
/// `list` is set, their names are nested under `events` and the event's position.
///
/// # Errors
/// If the data of an event cannot be read.
pub fn events(events: &[Event], list: bool, join: fn(&str, &str) -> String) -> Result<Fields, Failure> {
    let mut fields = vec![];
    let list = list || events.len() > 1;
    for (index, event) in events.iter().enumerate() {
        let above = join("events", &index.to_string());
        let name = |part: &str| if list { join(&above, part) } else { part.to_owned() };
        for (part, value) in [("id", &event.id), ("type", &event.kind), ("occurred_at", &event.occurred_at)] {
            fields.push((name(part), value.clone()));
        }
        append(&mut fields, &name("data"), Json::of(event)?, join);
    }
    Ok(fields)
}

/// Appends the fields of `value`, in its order: one for each string, number, boolean, null, and empty list or object.
/// Nulls and empty lists and objects become empty strings. Numbers are written as they were posted.
pub fn append(fields: &mut Fields, name: &str, value: Json<'_>, join: fn(&str, &str) -> String) {
    match value.parts() {
        Parts::Object(members) if !members.is_empty() => {
            for (member, value) in members {
                append(fields, &join(name, &member), value, join);
            }
        }
        Parts::Array(items) if !items.is_empty() => {
            for (index, item) in items.into_iter().enumerate() {
                append(fields, &join(name, &index.to_string()), item, join);
            }
        }
        Parts::Object(_) | Parts::Array(_) | Parts::Other("null") => fields.push((name.to_owned(), String::new())),
        Parts::Text(text) => fields.push((name.to_owned(), text)),
        Parts::Other(text) => fields.push((name.to_owned(), text.to_owned())),
    }
}

/// Returns the size of the fields in bytes once encoded as `application/x-www-form-urlencoded`.
pub fn encoded_len(fields: &[(String, String)]) -> usize {
    // Each field has a `=`, and each but the first is preceded by an `&`.
    let signs = (2 * fields.len()).saturating_sub(1);
    signs + fields.iter().map(|(name, value)| text_len(name) + text_len(value)).sum::<usize>()
}

fn text_len(text: &str) -> usize {
    let stays = |b: u8| b.is_ascii_alphanumeric() || b" *-._".contains(&b);
    text.bytes().map(|b| if stays(b) { 1 } else { 3 }).sum()
}

#[cfg(test)]
mod tests {
    use super::{append, bracketed, encoded_len, underscored};
    use crate::json::Json;

    #[test]
    fn members_and_items_are_fields_in_their_order() {
        let json = |text| Json::read(text).unwrap_or_else(|e| panic!("{e}"));
        let mut fields = vec![];
        append(&mut fields, "data", json(r#"{"b": [1E5, {"c": null}], "a": {}}"#), bracketed);
        append(&mut fields, "x", json(r#"{"y": [true]}"#), underscored);
        let names: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(names, ["data[b][0]=1E5", "data[b][1][c]=", "data[a]=", "x__y__0=true"]);
    }

    #[test]
    fn the_encoded_length_is_that_of_the_encoded_text() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(encoded_len(&[]), 0);
        assert_eq!(encoded_len(&[field("a[b]", "1 ż")]), "a%5Bb%5D=1+%C5%BC".len());
        assert_eq!(encoded_len(&[field("a", ""), field("b", "~")]), "a=&b=%7E".len());
    }
}
