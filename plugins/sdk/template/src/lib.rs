//! Jinja templates over a delivery, for plugins. Numbers print as the producer wrote them.
//!
//! The variables of a template are `event` (`id`, `type`, `occurred_at`, `data`), `data` (that event's), `events` (all
//! of them), `space`, `subscription` (`id`, `name`) and `delivery` (`id`, `attempt`).

mod value;

use std::sync::Arc;

use hookmill_plugin::json::{Json, string};
use hookmill_plugin::{Delivery, Event, Failure, refuse};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use value::Numbers;

/// The number of steps that a template may take: about 200 for each of 1,000 items, well within the host's fuel.
const STEPS_MAX: u64 = 200_000;

/// The nesting limit of blocks and macro calls; a macro call counts as several levels. Deeper nesting would end in a
/// trap whose message does not name the template.
const DEPTH_MAX: usize = 60;

/// The format in which `{{ … }}` prints a value. A value marked with the filter `safe` is printed as is.
#[derive(Clone, Copy)]
pub enum Print {
    /// As text; null and missing values print nothing, lists and objects print JSON.
    Text,
    /// As text, escaped so that no character has a special meaning to the receiver.
    Escaped(fn(&str) -> String),
    /// As JSON, with strings in quotes; missing values print null.
    Json,
}

/// Renders templates over one delivery.
pub struct Renderer {
    environment: Environment<'static>,
    numbers: Arc<Numbers>,
    events: Vec<Value>,
    context: Vec<(&'static str, Value)>,
}

impl Renderer {
    /// Creates a renderer for a delivery.
    ///
    /// # Errors
    /// If an event's data cannot be read.
    pub fn new(delivery: &Delivery, print: Print) -> Result<Self, Failure> {
        let mut numbers = Numbers::default();
        let events =
            delivery.events.iter().map(|event| event_value(event, &mut numbers)).collect::<Result<Vec<_>, _>>()?;
        let subscription = &delivery.subscription;
        let context = vec![
            ("events", Value::from(events.clone())),
            ("space", Value::from(delivery.space.as_str())),
            ("subscription", Value::from_pairs([("id", subscription.id.as_str()), ("name", &subscription.name)])),
            (
                "delivery",
                Value::from_pairs([("id", delivery.id.as_str().into()), ("attempt", Value::from(delivery.attempt))]),
            ),
        ];
        let numbers = Arc::new(numbers);
        let mut renderer = Self { environment: environment(&numbers), numbers, events, context };
        renderer.print_as(print);
        Ok(renderer)
    }

    /// Changes the format of the values printed from now on.
    pub fn print_as(&mut self, print: Print) {
        let numbers = Arc::clone(&self.numbers);
        self.environment.set_formatter(move |out, _, value| {
            let text = match print {
                _ if value.is_safe() => value.to_string(),
                Print::Text => numbers.text(value)?,
                Print::Escaped(escape) => escape(&numbers.text(value)?),
                Print::Json => numbers.json(value)?,
            };
            out.write_str(&text).map_err(minijinja::Error::from)
        });
    }

    /// Renders a template once, with the first event as `event`.
    ///
    /// # Errors
    /// If the template is invalid or fails; `what` is its name in the reason.
    pub fn render(&self, what: &str, template: &str) -> Result<String, Failure> {
        let first = self.events.first().cloned().unwrap_or_default();
        self.render_for(first, what, template)
    }

    /// Renders a template for each event, with that event as `event`.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_each(&self, what: &str, template: &str) -> Result<Vec<String>, Failure> {
        self.events.iter().map(|event| self.render_for(event.clone(), what, template)).collect()
    }

    fn render_for(&self, event: Value, what: &str, template: &str) -> Result<String, Failure> {
        let data = event.get_attr("data").unwrap_or_default();
        let context = self.context.iter().cloned().chain([("event", event), ("data", data)]);
        self.environment.render_named_str(what, template, Value::from_pairs(context)).map_err(|e| refuse(reason(&e)))
    }
}

/// Returns the message of an error and its causes.
fn reason(error: &minijinja::Error) -> String {
    let mut text = format!("template error: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn event_value(event: &Event, numbers: &mut Numbers) -> Result<Value, Failure> {
    Ok(Value::from_pairs([
        ("id", Value::from(event.id.as_str())),
        ("type", Value::from(event.kind.as_str())),
        ("occurred_at", Value::from(event.occurred_at.as_str())),
        ("data", numbers.value(Json::of(event)?)),
    ]))
}

fn environment(numbers: &Arc<Numbers>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(STEPS_MAX));
    environment.set_recursion_limit(DEPTH_MAX);
    // Unknown values are missing or null in CRM data: they print nothing, at any depth.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let of = Arc::clone(numbers);
    environment.add_filter("tojson", move |value: &Value| of.json(value).map(Value::from_safe_string));
    let of = Arc::clone(numbers);
    environment.add_filter("string", move |value: &Value| of.text(value));
    let of = Arc::clone(numbers);
    // For a value within a JSON string in the template: its escaped text without the quotes.
    environment.add_filter("inside", move |value: &Value| {
        let quoted = string(&of.text(value)?);
        Ok::<_, minijinja::Error>(Value::from_safe_string(quoted[1..quoted.len() - 1].to_owned()))
    });
    environment
}
