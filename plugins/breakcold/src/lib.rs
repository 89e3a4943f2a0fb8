//! Breakcold's webhook: one event in the envelope of the first generation, whose body contains the secret, or of the
//! second, which is signed.

use hookmill_plugin::json::{self, Json, Parts};
use hookmill_plugin::{Body, Delivery, Description, Event, Failure, Outcome, Plugin, Request, export, refuse, secret};
use serde::Deserialize;

/// The plugin.
pub struct Breakcold;

/// The plugin's configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The generation of the envelope.
    #[serde(default)]
    generation: Generation,
    /// The space's id in the body.
    id_space: Option<String>,
}

/// A generation of Breakcold's webhooks.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(try_from = "u8")]
enum Generation {
    #[default]
    First,
    Second,
}

impl TryFrom<u8> for Generation {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            1 => Ok(Self::First),
            2 => Ok(Self::Second),
            other => Err(format!("unknown generation {other}, expected 1 or 2")),
        }
    }
}

impl Plugin for Breakcold {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "breakcold".into(),
            version: "1.0.0".into(),
            summary:
                "Breakcold's webhook, first generation (with the secret in the body) or second generation (signed)"
                    .into(),
            content_types: vec!["application/json".into()],
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, config: Config) -> Result<Outcome, Failure> {
        let [event] = delivery.events.as_slice() else {
            return Err(refuse(format!(
                "a Breakcold webhook holds one event, the delivery has {}: turn off the subscription's batching",
                delivery.events.len()
            )));
        };
        let space = match config.id_space {
            Some(given) => given,
            None => id_space(event)?.unwrap_or_else(|| delivery.space.clone()),
        };
        let (headers, body) = match config.generation {
            Generation::First => (vec![], first(event, &space, &secret("signing")?)),
            Generation::Second => (headers(event, &delivery.id), second(event, &space)),
        };
        let body = Body::Json(body);
        Ok(Outcome::Deliver(Request { method: None, query: vec![], headers, body, extra: vec![] }))
    }
}

/// Returns the space named in an event's data; of duplicate members the last, as most programs read it.
fn id_space(event: &Event) -> Result<Option<String>, Failure> {
    let Parts::Object(members) = Json::of(event)?.parts() else { return Ok(None) };
    let named = members.into_iter().rfind(|(name, _)| name == "id_space");
    Ok(named.and_then(|(_, value)| match value.parts() {
        Parts::Text(text) => Some(text),
        _ => None,
    }))
}

fn first(event: &Event, space: &str, secret: &str) -> String {
    let (space, kind) = (json::string(space), json::string(&event.kind));
    format!(r#"{{"id_space":{space},"event":{kind},"secret":"{secret}","payload":{}}}"#, event.data)
}

fn second(event: &Event, space: &str) -> String {
    format!(
        r#"{{"eventId":{},"timestamp":{},"workspaceId":{},"event":{},"data":{}}}"#,
        json::string(&event.id),
        json::string(&event.occurred_at),
        json::string(space),
        json::string(&event.kind),
        event.data
    )
}

/// Returns the headers other than those of the signature.
fn headers(event: &Event, delivery_id: &str) -> Vec<(String, String)> {
    vec![
        ("X-Webhook-Event".to_owned(), event.kind.clone()),
        ("X-Webhook-Delivery-Id".to_owned(), delivery_id.to_owned()),
    ]
}

export!(Breakcold);
