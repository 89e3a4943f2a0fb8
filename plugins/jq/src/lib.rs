//! Any JSON, form or text by a jq program in the configuration.

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

/// Its configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The program.
    program: String,
    /// Whether the program runs once on the list of all events, instead of on each.
    #[serde(default)]
    slurp: bool,
    /// What the output is sent as; what the subscription asks for if it is not given.
    content_type: Option<String>,
    /// Whether the output is not the body but an object that has it, with headers and query.
    #[serde(default)]
    envelope: bool,
}

/// What a program makes if the configuration says `envelope`.
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
            summary: "Any JSON, form or text by a jq program".into(),
            content_types: ["application/json", "application/x-www-form-urlencoded", "text/plain"]
                .map(Into::into)
                .into(),
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, config: Config) -> Result<Outcome, Failure> {
        // Of several loggers only the first is taken; there is but one call.
        if log::set_logger(&Logger).is_ok() {
            log::set_max_level(log::LevelFilter::Debug);
        }
        let Some(output) = output(&delivery.events, &config)? else {
            return Ok(Outcome::Skip("the program made no output".into()));
        };
        let content_type = config.content_type.unwrap_or(delivery.subscription.content_type);
        if !config.envelope {
            return Ok(deliver(body(content_type, read(&output)?)?));
        }
        let envelope: Envelope =
            serde_json::from_str(&output).map_err(|e| refuse(format!("the program's output is no envelope: {e}")))?;
        Ok(Outcome::Deliver(Request {
            method: envelope.method,
            query: envelope.query.map(|query| fields("query", read(query.get())?)).transpose()?.unwrap_or_default(),
            headers: envelope.headers.map(|of| fields("headers", read(of.get())?)).transpose()?.unwrap_or_default(),
            body: body(content_type, read(envelope.body.get())?)?,
            extra: vec![],
        }))
    }
}

/// The program's output as JSON text; several events make a list of what it made of each.
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

/// The program's output, read again: what it made of several events may be nested one level too deep.
fn read(output: &str) -> Result<Json<'_>, Failure> {
    Json::read(output).map_err(|e| refuse(format!("the program's output cannot be used: {e}")))
}

fn body(content_type: String, output: Json<'_>) -> Result<Body, Failure> {
    Ok(match content_type.as_str() {
        "application/json" => Body::Json(output.text().to_owned()),
        "application/x-www-form-urlencoded" => Body::Form(fields("a form", output)?),
        "text/plain" => Body::Text(text(output)),
        _ => Body::Binary(Binary { content_type, bytes: text(output).into_bytes() }),
    })
}

/// A text as it is, anything else as JSON.
fn text(output: Json<'_>) -> String {
    match output.parts() {
        Parts::Text(text) => text,
        _ => output.text().to_owned(),
    }
}

/// An object's members as fields; those that have members of their own, with bracketed names.
fn fields(what: &str, object: Json<'_>) -> Result<Fields, Failure> {
    let Parts::Object(members) = object.parts() else {
        return Err(refuse(format!("{what} is made of an object, the program made none")));
    };
    let mut fields = vec![];
    for (name, value) in members {
        form::append(&mut fields, &name, value, form::bracketed);
    }
    Ok(fields)
}

/// Takes what a program writes with `debug` and `stderr` to the delivery's log.
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
