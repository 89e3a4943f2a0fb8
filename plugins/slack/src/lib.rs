//! Slack's incoming webhook: a message from a template.

use hookmill_plugin::{Body, Delivery, Description, Failure, Level, Outcome, Plugin, deliver, export, json, log};
use hookmill_plugin_template::{Print, Renderer};
use serde::Deserialize;

/// The length in characters at which Slack truncates a message.
const TEXT_CHARS_MAX: usize = 40_000;

/// The plugin.
pub struct Slack;

/// The plugin's configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The template of the message, rendered for each event.
    text: String,
}

impl Plugin for Slack {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "slack".into(),
            version: "1.0.0".into(),
            summary: "A Slack message from a template, for an incoming webhook".into(),
            content_types: vec!["application/json".into()],
            config_schema: include_str!("config.schema.json").into(),
            extra: vec![],
        }
    }

    fn transform(delivery: Delivery, config: Config) -> Result<Outcome, Failure> {
        let lines = Renderer::new(&delivery, Print::Escaped(escape))?.render_each("text", &config.text)?;
        let lines: Vec<_> = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            // Slack rejects an empty message; a template with an `if` and no `else` renders none on purpose.
            return Ok(Outcome::Skip("the template rendered an empty message".into()));
        }
        Ok(deliver(Body::Json(format!(r#"{{"text":{}}}"#, json::string(&shorten(lines.join("\n")))))))
    }
}

/// Escapes the three characters that have a special meaning to Slack.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Truncates a text that Slack would truncate, between words and not within a link.
fn shorten(text: String) -> String {
    let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX - 1) else { return text };
    if text[end..].chars().nth(1).is_none() {
        return text;
    }
    log(Level::Warn, &format!("message truncated: it is longer than {TEXT_CHARS_MAX} characters"));
    let words = &text[..text[..end].rfind(char::is_whitespace).unwrap_or(end)];
    // Any `<` from data is already escaped: this one opens a link, whose label may contain spaces.
    let whole = match (words.rfind('<'), words.rfind('>')) {
        (Some(open), close) if close.is_none_or(|close| close < open) => &words[..open],
        _ => words,
    };
    format!("{}…", whole.trim_end())
}

export!(Slack);

#[cfg(test)]
mod tests {
    use super::{TEXT_CHARS_MAX, shorten};

    #[test]
    fn a_text_that_fits_is_unchanged() {
        let text = "ż".repeat(TEXT_CHARS_MAX);
        assert_eq!(shorten(text.clone()), text);
    }
}
