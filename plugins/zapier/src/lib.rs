//! Zapier's catch hook: one flat JSON object, since Zapier does not show headers to its users and turns lists of
//! objects into parallel arrays.

mod flatten;

use hookmill_plugin::json::{self, Json};
use hookmill_plugin::{Body, Delivery, Description, Failure, Outcome, Plugin, deliver_within, export};
use serde::Deserialize;

use flatten::Flat;

/// The largest body that Zapier accepts, according to its documentation.
const BODY_BYTES_MAX: usize = 10_000_000;

/// The plugin.
pub struct Zapier;

/// The plugin's configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Keys, as they appear in the body, whose lists of objects are sent unflattened: Zapier turns them into line
    /// items.
    #[serde(default)]
    line_items: Vec<String>,
}

impl Plugin for Zapier {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "zapier".into(),
            version: "1.0.0".into(),
            summary: "Zapier's Catch Hook: one flat JSON object, keys joined with __".into(),
            content_types: vec!["application/json".into()],
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, config: Config) -> Result<Outcome, Failure> {
        let mut body = Flat::default();
        for (index, event) in delivery.events.iter().enumerate() {
            // The first event's keys are the same with one and with several events, so that a Zap's mapping holds for
            // both.
            let prefix = if index == 0 { String::new() } else { format!("event_{}__", index + 1) };
            for (name, value) in [("id", &event.id), ("type", &event.kind), ("occurred_at", &event.occurred_at)] {
                body.insert_leaf(&format!("{prefix}{name}"), &json::string(value));
            }
            body.insert(&format!("{prefix}data"), Json::of(event)?, &config.line_items);
        }
        if delivery.events.len() > 1 {
            body.insert_leaf("event_count", &delivery.events.len().to_string());
        }
        deliver_within(Body::Json(body.finish()), BODY_BYTES_MAX, "Zapier")
    }
}

export!(Zapier);
