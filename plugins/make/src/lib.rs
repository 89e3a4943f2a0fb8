//! Make's custom webhook: nested JSON, or a form with bracketed keys, depending on the subscription's content type.

use hookmill_plugin::{
    Body, Delivery, Description, Failure, Outcome, Plugin, deliver_within, export, form, json, refuse, secret,
};
use serde::Deserialize;

/// The largest body that Make accepts.
const BODY_BYTES_MAX: usize = 5_242_880;

/// The header in which Make expects a webhook's API key.
const API_KEY: &str = "x-make-apikey";

/// The plugin.
pub struct Make;

/// The plugin's configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Sends a single event as a list, too.
    #[serde(default)]
    list: bool,
    /// The sealed secret that holds the webhook's API key.
    api_key_secret: Option<String>,
}

impl Plugin for Make {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "make".into(),
            version: "1.1.0".into(),
            summary: "Make's custom webhook: nested JSON, or a form with bracketed keys".into(),
            content_types: vec!["application/json".into(), "application/x-www-form-urlencoded".into()],
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, config: Config) -> Result<Outcome, Failure> {
        let events = &delivery.events;
        let body = match delivery.subscription.content_type.as_str() {
            "application/json" => Body::Json(json::events(events, config.list, |event| event.data.clone())),
            "application/x-www-form-urlencoded" => Body::Form(form::events(events, config.list, form::bracketed)?),
            // Make would put the whole text into one field, which modules cannot map.
            other => {
                return Err(refuse(format!(
                    "Make does not support {other}: use application/json or application/x-www-form-urlencoded"
                )));
            }
        };
        let mut outcome = deliver_within(body, BODY_BYTES_MAX, "Make")?;
        if let (Some(name), Outcome::Deliver(request)) = (&config.api_key_secret, &mut outcome) {
            request.headers.push((API_KEY.to_owned(), secret(name)?));
        }
        Ok(outcome)
    }
}

export!(Make);
