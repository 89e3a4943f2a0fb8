//! LeadSquared's webhook: the event's data without an envelope; activities, which LeadSquared batches, as a list.

use hookmill_plugin::form::{self, Fields};
use hookmill_plugin::json::{Json, Parts};
use hookmill_plugin::{Body, Delivery, Description, Event, Failure, Outcome, Plugin, deliver, export, refuse};
use serde::Deserialize;

/// The part of an event's type that identifies activities: `LeadActivity_Post_Create`, `SalesActivity_Post_Update`.
const ACTIVITY: &str = "Activity";

/// The plugin.
pub struct LeadSquared;

/// The plugin's configuration, which has no options.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl Plugin for LeadSquared {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "leadsquared".into(),
            version: "1.0.0".into(),
            summary: "LeadSquared's webhook: the event's data without an envelope; activities and batches as a list"
                .into(),
            content_types: ["application/json", "application/x-www-form-urlencoded", "text/plain"]
                .map(Into::into)
                .into(),
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, _: Config) -> Result<Outcome, Failure> {
        let shape = shape(&delivery.events);
        Ok(deliver(match delivery.subscription.content_type.as_str() {
            "application/x-www-form-urlencoded" => Body::Form(shape.fields()?),
            "text/plain" => Body::Text(shape.json()),
            _ => Body::Json(shape.json()),
        }))
    }
}

/// The layout of events. A receiver of activities always gets a list, whether one or several happened within a minute.
enum Shape<'a> {
    One(&'a Event),
    List(&'a [Event]),
}

fn shape(events: &[Event]) -> Shape<'_> {
    match events {
        [event] if !event.kind.contains(ACTIVITY) => Shape::One(event),
        events => Shape::List(events),
    }
}

impl Shape<'_> {
    fn json(&self) -> String {
        match self {
            Self::One(event) => event.data.clone(),
            Self::List(events) => {
                let all: Vec<_> = events.iter().map(|event| event.data.as_str()).collect();
                format!("[{}]", all.join(","))
            }
        }
    }

    fn fields(&self) -> Result<Fields, Failure> {
        let mut fields = vec![];
        match self {
            Self::One(event) => {
                let Parts::Object(members) = Json::of(event)?.parts() else { return Err(no_object(event)) };
                for (name, value) in members {
                    form::append(&mut fields, &name, value, form::bracketed);
                }
            }
            Self::List(events) => {
                for (index, event) in events.iter().enumerate() {
                    form::append(&mut fields, &index.to_string(), Json::of(event)?, form::bracketed);
                }
            }
        }
        Ok(fields)
    }
}

fn no_object(event: &Event) -> Failure {
    refuse(format!(
        "the data of event {} is not an object, so a form has no field names: use application/json or text/plain",
        event.id
    ))
}

export!(LeadSquared);
