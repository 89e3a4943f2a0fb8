//! Any JSON, form or text from a jq program in the configuration.

mod program;

use hookmill_plugin::form::{self, Fields};
use hookmill_plugin::json::{Json, Parts};
use hookmill_plugin::{
    Binary, Body, Delivery, Description, Event, Failure, Level, Outcome, Plugin, Request, deliver, export, refuse,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use jaq_json::Val;
use program::{Program, object, val};

/// The plugin.
pub struct Jq;

/// The plugin's configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The jq program.
    program: String,
    /// Runs the program once on the list of all events, instead of on each event.
    #[serde(default)]
    slurp: bool,
    /// The content type of the output; defaults to the subscription's.
    content_type: Option<String>,
    /// Treats the output as an object with body, headers, query and method, instead of as the body.
    #[serde(default)]
    envelope: bool,
}

/// The output of a program if the configuration sets `envelope`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    body: Box<RawValue>,
    headers: Option<Box<RawValue>>,
    query: Option<Box<RawValue>>,
    method: Option<String>,
}

impl Plugin for Jq {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "jq".into(),
            version: "1.0.0".into(),
            summary: "Any JSON, form or text from a jq program".into(),
            content_types: ["application/json", "application/x-www-form-urlencoded", "text/plain"]
                .map(Into::into)
                .into(),
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, config: Config) -> Result<Outcome, Failure> {
        // A logger can be set only once, and an instance gets only one call.
        if log::set_logger(&Logger).is_ok() {
            log::set_max_level(log::LevelFilter::Debug);
        }
        let Some(output) = output(&delivery.events, &config)? else {
            return Ok(Outcome::Skip("the program produced no output".into()));
        };
        let content_type = config.content_type.unwrap_or(delivery.subscription.content_type);
        if !config.envelope {
            return Ok(deliver(body(content_type, read(&output)?)?));
        }
        let envelope: Envelope = serde_json::from_str(&output)
            .map_err(|e| refuse(format!("the program's output is not an envelope: {e}")))?;
        Ok(Outcome::Deliver(Request {
            method: envelope.method,
            query: envelope.query.map(|query| fields("query", read(query.get())?)).transpose()?.unwrap_or_default(),
            headers: envelope.headers.map(|of| fields("headers", read(of.get())?)).transpose()?.unwrap_or_default(),
            body: body(content_type, read(envelope.body.get())?)?,
            extra: vec![],
        }))
    }
}

/// Returns the program's output as JSON text; for several events, a list of the outputs.
fn output(events: &[Event], config: &Config) -> Result<Option<String>, Failure> {
    let program = Program::compile(&config.program)?;
    let inputs = events.iter().map(input).collect::<Result<Vec<_>, _>>()?;
    if config.slurp {
        return program.run(inputs.into_iter().collect());
    }
    let outputs = inputs.into_iter().filter_map(|input| program.run(input).transpose());
    let mut outputs = outputs.collect::<Result<Vec<_>, _>>()?;
    Ok(match (events, outputs.is_empty()) {
        (_, true) => None,
        ([_], false) => outputs.pop(),
        (_, false) => Some(format!("[{}]", outputs.join(","))),
    })
}

fn input(event: &Event) -> Result<Val, Failure> {
    Ok(object([
        ("id", Val::from(event.id.clone())),
        ("type", Val::from(event.kind.clone())),
        ("occurred_at", Val::from(event.occurred_at.clone())),
        ("data", val(Json::of(event)?)),
    ]))
}

/// Parses the program's output again: the list for several events may be nested one level too deep.
fn read(output: &str) -> Result<Json<'_>, Failure> {
    Json::read(output).map_err(|e| refuse(format!("cannot use the program's output: {e}")))
}

fn body(content_type: String, output: Json<'_>) -> Result<Body, Failure> {
    Ok(match content_type.as_str() {
        "application/json" => Body::Json(output.text().to_owned()),
        "application/x-www-form-urlencoded" => Body::Form(fields("a form", output)?),
        "text/plain" => Body::Text(text(output)),
        _ => Body::Binary(Binary { content_type, bytes: text(output).into_bytes() }),
    })
}

/// Returns a string as is, any other value as JSON.
fn text(output: Json<'_>) -> String {
    match output.parts() {
        Parts::Text(text) => text,
        _ => output.text().to_owned(),
    }
}

/// Returns an object's members as fields; nested members get bracketed names.
fn fields(what: &str, object: Json<'_>) -> Result<Fields, Failure> {
    let Parts::Object(members) = object.parts() else {
        return Err(refuse(format!("the program's output for {what} must be an object")));
    };
    let mut fields = vec![];
    for (name, value) in members {
        form::append(&mut fields, &name, value, form::bracketed);
    }
    Ok(fields)
}

/// Forwards the output of `debug` and `stderr` to the attempt's log.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = if record.level() == log::Level::Error { Level::Error } else { Level::Debug };
        hookmill_plugin::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

export!(Jq);
