//! n8n's webhook node: nested JSON that JavaScript reads without loss, or a form, whichever the subscription asks for.

mod numbers;

use hookmill_plugin::{
    Body, Delivery, Description, Failure, Outcome, Plugin, deliver_within, export, form, json, refuse,
};
use serde::Deserialize;

/// What n8n takes. One byte more gets a 500, which no later attempt heals.
const BODY_BYTES_MAX: usize = 16_777_216;

/// Form fields that n8n reads; it drops further ones in silence.
const FIELDS_MAX: usize = 1_000;

/// The plugin.
pub struct N8n;

/// Its configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether a single event is sent as a list, too.
    #[serde(default)]
    list: bool,
}

impl Plugin for N8n {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "n8n".into(),
            version: "1.0.0".into(),
            summary: "n8n's webhook node: nested JSON whose numbers JavaScript keeps, or a flat form".into(),
            content_types: vec!["application/json".into(), "application/x-www-form-urlencoded".into()],
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, config: Config) -> Result<Outcome, Failure> {
        let events = &delivery.events;
        let body = match delivery.subscription.content_type.as_str() {
            "application/json" => Body::Json(json::events(events, config.list, |event| numbers::quote(&event.data))),
            "application/x-www-form-urlencoded" => {
                // n8n does not take names apart: `data__id` can be written in an expression, `data[id]` is one long key.
                let fields = form::events(events, config.list, form::underscored)?;
                if fields.len() > FIELDS_MAX {
                    let fields = fields.len();
                    return Err(refuse(format!("the form has {fields} fields and n8n reads {FIELDS_MAX}: send JSON")));
                }
                Body::Form(fields)
            }
            other => {
                return Err(refuse(format!("n8n takes application/json or a form, the subscription asks for {other}")));
            }
        };
        deliver_within(body, BODY_BYTES_MAX, "n8n")
    }
}

export!(N8n);

#[cfg(test)]
mod tests {
    use hookmill_plugin::{Body, Failure, deliver_within};

    #[test]
    fn a_byte_more_than_n8n_takes_fails_for_good() {
        let text = |len| Body::Text("x".repeat(len));
        assert!(deliver_within(text(super::BODY_BYTES_MAX), super::BODY_BYTES_MAX, "n8n").is_ok());
        let Err(Failure { reason, retry: false }) = deliver_within(text(16_777_217), super::BODY_BYTES_MAX, "n8n")
        else {
            panic!("it must fail for good")
        };
        assert_eq!(reason, "the body has 16777217 bytes and n8n takes 16777216: leave fields out");
    }
}
