//! A Livespace deal as the flat JSON object that Zapier expects: an example to start from.

mod flat;

use flat::Flat;
use hookmill_plugin::json::{Json, Parts, string};
use hookmill_plugin::{Body, Delivery, Description, Failure, Level, Outcome, Plugin, Request, export, log, refuse};
use serde::Deserialize;

/// The plugin.
pub struct MyPlugin;

/// The plugin's configuration, described by `config.schema.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default = "livespace")]
    source: String,
}

fn livespace() -> String {
    "livespace".into()
}

impl Plugin for MyPlugin {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "my-plugin".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "A Livespace deal as the flat JSON object that Zapier expects".into(),
            content_types: vec!["application/json".into()],
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, config: Config) -> Result<Outcome, Failure> {
        let [event] = delivery.events.as_slice() else {
            let events = delivery.events.len();
            let remedy = "turn off the subscription's batching";
            return Err(refuse(format!("this plugin takes one event, the delivery has {events}: {remedy}")));
        };
        log(Level::Info, &format!("deal {}", event.id));
        let data = Json::of(event)?;
        let Parts::Object(members) = data.parts() else {
            return Err(refuse("the event's data is not a JSON object"));
        };
        let mut flat = Flat::default();
        for (name, value) in [("id", &event.id), ("type", &event.kind), ("occurred_at", &event.occurred_at)] {
            flat.insert(name.into(), string(value));
        }
        for (name, value) in members {
            flat.flatten(name, value);
        }
        Ok(Outcome::Deliver(Request {
            method: None,
            query: vec![],
            headers: vec![("x-source".into(), config.source)],
            body: Body::Json(flat.finish()),
            extra: vec![],
        }))
    }
}

export!(MyPlugin);

#[cfg(test)]
mod tests {
    use hookmill_plugin::testing::{delivery, transform};
    use hookmill_plugin::{Body, Outcome};

    use super::MyPlugin;

    #[test]
    fn a_deal_is_flattened_and_its_numbers_stay() {
        let made = transform::<MyPlugin>(delivery("deal.won", r#"{"deal": {"value": 12.50, "tags": ["new"]}}"#));
        let Ok(Outcome::Deliver(request)) = made.result else { panic!("no request was produced") };
        let Body::Json(body) = request.body else { panic!("the body is not JSON") };
        assert!(body.ends_with(r#""deal__value":12.50,"deal__tags__0":"new"}"#), "{body}");
        assert_eq!(made.logs[0].1, "deal evt_1");
    }
}
