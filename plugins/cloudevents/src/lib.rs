//! CloudEvents 1.0 in structured mode; a batch of them for several events.

use hookmill_plugin::{
    Binary, Body, Delivery, Description, Event, Failure, Outcome, Plugin, deliver, export, json, refuse,
};
use serde::Deserialize;
use serde_json::Value;

/// The plugin.
pub struct CloudEvents;

/// Its configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the events come from; the space's path in the API if it is not given.
    source: Option<String>,
    /// What every event is about.
    subject: Option<String>,
    /// Where in an event's data it says what the event is about.
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
    /// CloudEvents allows neither attribute to be empty.
    fn check(&self) -> Result<(), Failure> {
        if self.source.as_deref() == Some("") || self.subject.as_deref() == Some("") {
            return Err(refuse("the configuration is wrong: `source` and `subject` must not be empty"));
        }
        if self.subject.is_some() && self.subject_pointer.is_some() {
            return Err(refuse("the configuration is wrong: give `subject` or `subject_pointer`, not both"));
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

    /// The subject; none if the data has no text, number or boolean at that place, since the attribute is optional.
    fn subject(&self, event: &Event) -> Result<Option<String>, Failure> {
        let Some(pointer) = &self.subject_pointer else { return Ok(self.subject.clone()) };
        let data: Value = serde_json::from_str(&event.data)
            .map_err(|e| refuse(format!("the data of event {} cannot be used: {e}", event.id)))?;
        let subject = match data.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(scalar @ (Value::Bool(_) | Value::Number(_))) => scalar.to_string(),
            _ => String::new(),
        };
        Ok(Some(subject).filter(|subject| !subject.is_empty()))
    }
}

export!(CloudEvents);
