//! Livespace's webhook: one event in the envelope that Livespace's receivers expect.

mod uuid;

use hookmill_plugin::{Body, Delivery, Description, Event, Failure, Outcome, Plugin, deliver, export, json, refuse};
use serde::Deserialize;

/// The plugin.
pub struct Livespace;

/// The plugin's configuration, which has no options.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl Plugin for Livespace {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "livespace".into(),
            version: "1.0.0".into(),
            summary: "Livespace's webhook: the event's data in Livespace's envelope".into(),
            content_types: vec!["application/json".into()],
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, _: Config) -> Result<Outcome, Failure> {
        let [event] = delivery.events.as_slice() else {
            return Err(refuse(format!(
                "a Livespace webhook holds one event, the delivery has {}: turn off the subscription's batching",
                delivery.events.len()
            )));
        };
        let id = uuid::of(&delivery.id).ok_or_else(|| {
            refuse(format!("cannot convert the delivery's id to a UUID: `{}` does not end in a ULID", delivery.id))
        })?;
        Ok(deliver(Body::Json(body(event, &id, delivery.attempt))))
    }
}

fn body(event: &Event, id: &str, attempt: u32) -> String {
    format!(
        r#"{{"version":"1.0","name":{},"id":"{id}","timestamp":{},"webhook_delivery_attempt":{attempt},"data":{}}}"#,
        json::string(&event.kind),
        json::string(&event.occurred_at),
        event.data
    )
}

export!(Livespace);
