//! Templates over a delivery, for plugins: Jinja whose numbers print as the producer wrote them.
//!
//! A template sees `event` (`id`, `type`, `occurred_at`, `data`), `data` (that event's), `events` (all of them),
//! `space`, `subscription` (`id`, `name`) and `delivery` (`id`, `attempt`).

mod value;

use std::sync::Arc;

use hookmill_plugin::json::{Json, string};
use hookmill_plugin::{Delivery, Event, Failure, refuse};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use value::Numbers;

/// Steps that one template may take: some 200 for each of 1,000 items, and well within the host's fuel.
const STEPS_MAX: u64 = 200_000;

/// Levels of blocks and macro calls; a macro's call counts several. More would end in a trap that names nothing.
const DEPTH_MAX: usize = 60;

/// How a value is printed where a template has `{{ … }}`. What passed the filter `safe` is printed as it is.
#[derive(Clone, Copy)]
pub enum Print {
    /// As text; null and what is missing print nothing, lists and objects as JSON.
    Text,
    /// As text that is changed so that nothing in it has a meaning of its own to the receiver.
    Escaped(fn(&str) -> String),
    /// As JSON, texts in quotes; what is missing is null.
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
    /// Reads a delivery.
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

    /// Changes how values are printed from here on.
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

    /// Renders a template, once, with the first event as `event`.
    ///
    /// # Errors
    /// If the template is wrong or goes wrong; `what` names it in the reason.
    pub fn render(&self, what: &str, template: &str) -> Result<String, Failure> {
        let first = self.events.first().cloned().unwrap_or_default();
        self.render_for(first, what, template)
    }

    /// Renders a template once for each event as `event`.
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

/// The error with what caused it.
fn reason(error: &minijinja::Error) -> String {
    let mut text = format!("the template is wrong: {error}");
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
    // CRM data leaves out or nulls what is not known: that prints nothing, at any depth.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let of = Arc::clone(numbers);
    environment.add_filter("tojson", move |value: &Value| of.json(value).map(Value::from_safe_string));
    let of = Arc::clone(numbers);
    environment.add_filter("string", move |value: &Value| of.text(value));
    let of = Arc::clone(numbers);
    // For a value within a JSON string that stands in the template: its text without the quotes.
    environment.add_filter("inside", move |value: &Value| {
        let quoted = string(&of.text(value)?);
        Ok::<_, minijinja::Error>(Value::from_safe_string(quoted[1..quoted.len() - 1].to_owned()))
    });
    environment
}
