//! The default shapes: what a subscription without a plugin sends.
//!
//! - JSON: the envelope of Standard Webhooks, `{"type":…,"timestamp":…,"data":…}`, with the data's text as it was
//!   posted, byte for byte.
//! - Form: the envelope with bracketed keys, as PHP, Rails and qs read them: `type`, `timestamp`, `data[lead][name]`,
//!   `data[tags][0]`. Numbers are kept as they were written, booleans are `true` and `false`. A form cannot distinguish
//!   null, an empty text, an empty array and an empty object: each is present with an empty value, so that a receiver that
//!   maps fields always finds them. Data that is not an array or object is `data` alone. Brackets in a name are not
//!   escaped, since no form parser knows an escape.
//! - Text: the JSON shape's text.
//!
//! A batch of several events is an array of envelopes, and in a form `events[0][type]`, `events[0][data][lead]` and so
//! on. A single event is never wrapped.

use serde_json::value::RawValue;

use super::json::{self, Level, Members};
use hookmill_model::{Body, ContentType, Draft, EventType, PluginFault, PluginFaultCode};

/// The parts of an event that the default shapes show, with its data after field selection.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The event's type.
    pub kind: &'a EventType,
    /// When it happened.
    pub occurred_at: jiff::Timestamp,
    /// The data.
    pub data: &'a RawValue,
}

/// Returns the default shape of `events`, of which there is at least one.
///
/// # Errors
/// If a form would be larger than `bytes_max` (it repeats the keys of enclosing objects), or if the data for a form is
/// nested too deeply or contains text that is not Unicode.
pub fn shape(content_type: ContentType, events: &[Envelope<'_>], bytes_max: usize) -> Result<Draft, PluginFault> {
    let body = match content_type {
        ContentType::Json => Body::Json(json_text(events)),
        ContentType::Text => Body::Text(json_text(events)),
        ContentType::Form => Body::Form(form(events, bytes_max)?),
    };
    Ok(Draft { method: None, query: Vec::new(), headers: Vec::new(), body })
}

fn json_text(events: &[Envelope<'_>]) -> String {
    if let [event] = events {
        return envelope(event);
    }
    let envelopes: Vec<_> = events.iter().map(envelope).collect();
    format!("[{}]", envelopes.join(","))
}

fn envelope(event: &Envelope<'_>) -> String {
    // An event type's alphabet needs no escape in JSON, nor does a timestamp's.
    format!(r#"{{"type":"{}","timestamp":"{}","data":{}}}"#, event.kind, event.occurred_at, event.data.get())
}

fn form(events: &[Envelope<'_>], bytes_max: usize) -> Result<Vec<(String, String)>, PluginFault> {
    let mut form = Form { fields: Vec::new(), bytes_left: bytes_max };
    for (index, event) in events.iter().enumerate() {
        let key = |name: &str| if events.len() == 1 { name.to_owned() } else { format!("events[{index}][{name}]") };
        form.push(key("type"), event.kind.to_string())?;
        form.push(key("timestamp"), event.occurred_at.to_string())?;
        form.flatten(key("data"), event.data, json::DEPTH_MAX)?;
    }
    Ok(form.fields)
}

struct Form {
    fields: Vec<(String, String)>,
    bytes_left: usize,
}

impl Form {
    fn push(&mut self, key: String, value: String) -> Result<(), PluginFault> {
        let left = self.bytes_left.checked_sub(key.len() + value.len() + "=&".len());
        self.bytes_left = left.ok_or_else(|| PluginFault {
            code: PluginFaultCode::OutputTooLarge,
            message: "the event's data is too large when encoded as a form".to_owned(),
            retry: false,
        })?;
        self.fields.push((key, value));
        Ok(())
    }

    fn flatten(&mut self, key: String, value: &RawValue, depth_left: usize) -> Result<(), PluginFault> {
        let below = || depth_left.checked_sub(1).ok_or_else(json::too_deep);
        match Level::of(value)? {
            Level::Object(Members(members)) if !members.is_empty() => {
                let depth_left = below()?;
                members.iter().try_for_each(|(name, value)| self.flatten(format!("{key}[{name}]"), value, depth_left))
            }
            Level::Array(items) if !items.is_empty() => {
                let depth_left = below()?;
                let mut items = items.iter().enumerate();
                items.try_for_each(|(index, item)| self.flatten(format!("{key}[{index}]"), item, depth_left))
            }
            Level::Object(_) | Level::Array(_) | Level::Other("null") => self.push(key, String::new()),
            Level::String(text) => self.push(key, text),
            Level::Other(text) => self.push(key, text.to_owned()),
        }
    }
}
