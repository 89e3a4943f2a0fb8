//! Any JSON, form or text from templates in the configuration.

use hookmill_plugin::{Body, Delivery, Description, Failure, Outcome, Plugin, Request, export, form::Fields, refuse};
use hookmill_plugin_template::{Print, Renderer};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// The plugin.
pub struct Template;

/// The plugin's configuration: one of `json`, `form` and `text`, and optionally headers and query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A template that renders JSON.
    json: Option<String>,
    /// A template for each field.
    form: Option<Map<String, Value>>,
    /// A template that renders text.
    text: Option<String>,
    /// A template for each header.
    #[serde(default)]
    headers: Map<String, Value>,
    /// A template for each query parameter.
    #[serde(default)]
    query: Map<String, Value>,
}

impl Plugin for Template {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "template".into(),
            version: "1.0.0".into(),
            summary: "Any JSON, form or text from a Jinja template".into(),
            content_types: ["application/json", "application/x-www-form-urlencoded", "text/plain"]
                .map(Into::into)
                .into(),
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, config: Config) -> Result<Outcome, Failure> {
        let mut renderer = Renderer::new(&delivery, Print::Text)?;
        let query = fields(&renderer, "query", &config.query)?;
        let headers = fields(&renderer, "headers", &config.headers)?;
        let body = match (&config.json, &config.form, &config.text) {
            (Some(template), None, None) => Body::Json(json(&mut renderer, template)?),
            (None, Some(templates), None) => Body::Form(fields(&renderer, "form", templates)?),
            (None, None, Some(template)) => Body::Text(renderer.render("text", template)?),
            _ => return Err(refuse("invalid configuration: set exactly one of `json`, `form` and `text`")),
        };
        Ok(Outcome::Deliver(Request { method: None, query, headers, body, extra: vec![] }))
    }
}

fn json(renderer: &mut Renderer, template: &str) -> Result<String, Failure> {
    renderer.print_as(Print::Json);
    let text = renderer.render("json", template)?;
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(e) => {
            // The error's position refers to the rendered text, which the configuration's owner cannot see.
            let line = text.lines().nth(e.line().saturating_sub(1)).unwrap_or_default();
            let line: String = line.chars().take(200).collect();
            Err(refuse(format!("the template's output is not JSON: {e}: {line}")))
        }
    }
}

fn fields(renderer: &Renderer, what: &str, templates: &Map<String, Value>) -> Result<Fields, Failure> {
    let field = |(name, template): (&String, &Value)| {
        let what = format!("{what}.{name}");
        let Some(template) = template.as_str() else {
            return Err(refuse(format!("invalid configuration: {what} must be a string")));
        };
        Ok((name.clone(), renderer.render(&what, template)?))
    };
    templates.iter().map(field).collect()
}

export!(Template);
