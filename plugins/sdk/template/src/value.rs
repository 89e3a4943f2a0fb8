//! Converts JSON to template values and back, without changing its numbers.
//!
//! minijinja computes with 128-bit integers and 64-bit floats. Integers of up to 128 bits are converted to such
//! integers. A decimal is converted to a float, so that templates can compare and calculate, and its original text is
//! kept in a map: whenever that float is printed, the text is printed instead. (If a delivery has the same value in two
//! spellings, 12.5 and 12.50, the first is printed for both.) A number that a float cannot hold, such as 1e400, is
//! converted to an object that prints its text and cannot be used in calculations.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use hookmill_plugin::json::{self, Json, Parts};
use hookmill_plugin::number;
use minijinja::value::{Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// The original texts of a delivery's decimals, by the bits of their floats.
#[derive(Default)]
pub(crate) struct Numbers(BTreeMap<u64, String>);

/// A number that neither a 128-bit integer nor a float can hold.
#[derive(Debug)]
struct Beyond(String);

impl Object for Beyond {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Numbers {
    /// Converts JSON to a template's value.
    pub(crate) fn value(&mut self, json: Json<'_>) -> Value {
        match json.parts() {
            Parts::Other("null") => Value::from(()),
            Parts::Other("true") => Value::from(true),
            Parts::Other("false") => Value::from(false),
            Parts::Other(number) => self.number(number),
            Parts::Text(text) => Value::from(text),
            Parts::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Parts::Object(members) => {
                Value::from_pairs(members.into_iter().map(|(name, value)| (name, self.value(value))))
            }
        }
    }

    fn number(&mut self, text: &str) -> Value {
        match (text.parse::<i128>(), text.parse::<f64>()) {
            (Ok(integer), _) if integer != 0 || text == "0" => Value::from(integer),
            (_, Ok(float)) if number::survives_float(text) => {
                self.0.entry(float.to_bits()).or_insert_with(|| text.to_owned());
                Value::from(float)
            }
            _ => Value::from_object(Beyond(text.to_owned())),
        }
    }

    /// Returns a value as text: empty for null and missing values, JSON for lists and objects.
    pub(crate) fn text(&self, value: &Value) -> Result<String, Error> {
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => Ok(String::new()),
            ValueKind::Number => Ok(self.number_text(value)),
            ValueKind::Bool => Ok(bool_text(value).to_owned()),
            ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => self.json(value),
            _ => Ok(value.to_string()),
        }
    }

    /// Returns a value as JSON.
    pub(crate) fn json(&self, value: &Value) -> Result<String, Error> {
        let mut out = String::new();
        self.write(&mut out, value)?;
        Ok(out)
    }

    fn write(&self, out: &mut String, value: &Value) -> Result<(), Error> {
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(bool_text(value)),
            ValueKind::Number => out.push_str(&self.number_text(value)),
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter()?.map(|item| self.json(&item)).collect::<Result<Vec<_>, _>>()?;
                write!(out, "[{}]", items.join(","))?;
            }
            ValueKind::Map => {
                let member = |name: Value| {
                    Ok::<_, Error>(json::string(&self.text(&name)?) + ":" + &self.json(&value.get_item(&name)?)?)
                };
                let members = value.try_iter()?.map(member).collect::<Result<Vec<_>, _>>()?;
                write!(out, "{{{}}}", members.join(","))?;
            }
            ValueKind::Invalid => return Err(Error::new(ErrorKind::BadSerialization, value.to_string())),
            _ if value.downcast_object_ref::<Beyond>().is_some() => write!(out, "{value}")?,
            _ => out.push_str(&json::string(&value.to_string())),
        }
        Ok(())
    }

    fn number_text(&self, value: &Value) -> String {
        // Integers print exactly; converting one to a float could round it to another number's key.
        if !value.is_integer()
            && let Ok(float) = f64::try_from(value.clone())
            && let Some(text) = self.0.get(&float.to_bits())
        {
            return text.clone();
        }
        value.to_string()
    }
}

/// Returns JSON's spelling; minijinja itself writes Python's `True`.
fn bool_text(value: &Value) -> &'static str {
    if value.is_true() { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::{Json, Numbers};

    #[test]
    fn numbers_print_as_they_were_written() {
        let text = r#"{"b":[12.50,-0,0.0,1e400,-12345678901234567890,1E5,1e4],"a":{"":null,"ż\n":true},"c":340282366920938463463374607431768211456}"#;
        let mut numbers = Numbers::default();
        let value = numbers.value(Json::read(text).unwrap_or_else(|e| panic!("{e}")));
        assert_eq!(numbers.json(&value).expect("it prints"), text);
    }
}
