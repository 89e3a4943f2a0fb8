//! n8n's webhook node: nested JSON that JavaScript parses without loss, or a form, depending on the subscription's
//! content type.

mod numbers;

use hookmill_plugin::{
    Body, Delivery, Description, Failure, Outcome, Plugin, deliver_within, export, form, json, refuse,
};
use serde::Deserialize;

/// The largest body that n8n accepts. It responds to a larger one with a 500, which a retry cannot fix.
const BODY_BYTES_MAX: usize = 16_777_216;

/// The number of form fields that n8n reads; it silently drops the rest.
const FIELDS_MAX: usize = 1_000;

/// The plugin.
pub struct N8n;

/// The plugin's configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Sends a single event as a list, too.
    #[serde(default)]
    list: bool,
}

impl Plugin for N8n {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "n8n".into(),
            version: "1.0.0".into(),
            summary: "n8n's webhook node: nested JSON that JavaScript parses without loss, or a flat form".into(),
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
                // n8n does not parse field names: `data__id` can be written in an expression, `data[id]` would be a
                // single key.
                let fields = form::events(events, config.list, form::underscored)?;
                if fields.len() > FIELDS_MAX {
                    let fields = fields.len();
                    return Err(refuse(format!(
                        "the form has {fields} fields, n8n reads at most {FIELDS_MAX}: use application/json"
                    )));
                }
                Body::Form(fields)
            }
            other => {
                return Err(refuse(format!(
                    "n8n does not support {other}: use application/json or application/x-www-form-urlencoded"
                )));
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
    fn one_byte_more_than_n8n_accepts_fails_permanently() {
        let text = |len| Body::Text("x".repeat(len));
        assert!(deliver_within(text(super::BODY_BYTES_MAX), super::BODY_BYTES_MAX, "n8n").is_ok());
        let Err(Failure { reason, retry: false }) = deliver_within(text(16_777_217), super::BODY_BYTES_MAX, "n8n")
        else {
            panic!("it must fail permanently")
        };
        assert_eq!(reason, "the body has 16777217 bytes, n8n accepts at most 16777216: exclude fields");
    }
}
