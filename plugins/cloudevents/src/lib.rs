//! CloudEvents 1.0 in structured mode; several events become a batch.

use hookmill_plugin::{
    Binary, Body, Delivery, Description, Event, Failure, Outcome, Plugin, deliver, export, json, refuse,
};
use serde::Deserialize;
use serde_json::Value;

/// The plugin.
pub struct CloudEvents;

/// The plugin's configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The attribute `source` of the events; defaults to the space's path in the API.
    source: Option<String>,
    /// The attribute `subject` of every event.
    subject: Option<String>,
    /// A JSON Pointer to the subject in an event's data.
    subject_pointer: Option<String>,
}

impl Plugin for CloudEvents {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "cloudevents".into(),
            version: "1.0.0".into(),
            summary: "CloudEvents 1.0, structured JSON; several events as a CloudEvents batch".into(),
            content_types: vec!["application/cloudevents+json".into(), "application/cloudevents-batch+json".into()],
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, config: Config) -> Result<Outcome, Failure> {
        config.check()?;
        let source = config.source.clone().unwrap_or_else(|| format!("/v1/spaces/{}", delivery.space));
        let texts: Vec<_> =
            delivery.events.iter().map(|event| config.event(event, &source)).collect::<Result<_, _>>()?;
        let (kind, text) = match texts.as_slice() {
            [one] => ("application/cloudevents+json", one.clone()),
            several => ("application/cloudevents-batch+json", format!("[{}]", several.join(","))),
        };
        Ok(deliver(Body::Binary(Binary { content_type: kind.into(), bytes: text.into_bytes() })))
    }
}

impl Config {
    /// Checks the attributes: CloudEvents allows neither to be empty.
    fn check(&self) -> Result<(), Failure> {
        if self.source.as_deref() == Some("") || self.subject.as_deref() == Some("") {
            return Err(refuse("invalid configuration: `source` and `subject` must not be empty"));
        }
        if self.subject.is_some() && self.subject_pointer.is_some() {
            return Err(refuse("invalid configuration: set either `subject` or `subject_pointer`, not both"));
        }
        Ok(())
    }

    fn event(&self, event: &Event, source: &str) -> Result<String, Failure> {
        let mut text = format!(
            r#"{{"specversion":"1.0","id":{},"source":{},"type":{},"time":{}"#,
            json::string(&event.id),
            json::string(source),
            json::string(&event.kind),
            json::string(&event.occurred_at)
        );
        if let Some(subject) = self.subject(event)? {
            text += &format!(r#","subject":{}"#, json::string(&subject));
        }
        text += &format!(r#","datacontenttype":"application/json","data":{}}}"#, event.data);
        Ok(text)
    }

    /// Returns the subject; `None` if the pointer finds no string, number or boolean, since the attribute is optional.
    fn subject(&self, event: &Event) -> Result<Option<String>, Failure> {
        let Some(pointer) = &self.subject_pointer else { return Ok(self.subject.clone()) };
        let data: Value = serde_json::from_str(&event.data)
            .map_err(|e| refuse(format!("cannot read the data of event {}: {e}", event.id)))?;
        let subject = match data.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(scalar @ (Value::Bool(_) | Value::Number(_))) => scalar.to_string(),
            _ => String::new(),
        };
        Ok(Some(subject).filter(|subject| !subject.is_empty()))
    }
}

export!(CloudEvents);
