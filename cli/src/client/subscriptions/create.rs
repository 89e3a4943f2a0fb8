//! `hookmill subscriptions create`.

use std::path::PathBuf;

use anyhow::Context as _;
use http::Method;
use serde_json::{Map, Value, json};

use super::super::session::{Session, read_json};
use crate::remote::Usage;

const EXAMPLES: &str = "\
Examples:
  hookmill subscriptions create --name 'Won deals' --to https://hooks.zapier.com/hooks/catch/1/a/ \\
      --event-type 'deal.*' --condition 'event.data.value > 1000' --plugin zapier@^1
  hookmill subscriptions create --name CRM --to https://crm.example/hooks --profile livespace --draft
  hookmill subscriptions create --file subscription.json --name 'The same, to another place' --to https://b.example/

A file has what the API's description calls SubscriptionInput: headers, retry, batch, secrets and more have no flag.";

/// The arguments: flags override members of the file.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A file with the subscription, as the API describes it (JSON; `-` is standard input): all that has no flag
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A name for people
    #[arg(long, required_unless_present = "file")]
    name: Option<String>,
    /// The URL to send to
    #[arg(long = "to", value_name = "URL", required_unless_present = "file")]
    to: Option<String>,
    /// The event types to send: `deal.won`, `deal.*` or `*`; may be repeated
    #[arg(long, value_name = "TYPE")]
    event_type: Vec<String>,
    /// A CEL expression over `event` that must be true
    #[arg(long, value_name = "CEL")]
    condition: Option<String>,
    /// A profile whose defaults apply: livespace, breakcold or leadsquared
    #[arg(long)]
    profile: Option<String>,
    /// The plugin that makes the requests, with a version (1.4.0) or a range (^1.2) that it follows
    #[arg(long, value_name = "NAME[@VERSION]")]
    plugin: Option<String>,
    /// The plugin's configuration
    #[arg(long, value_name = "FILE", requires = "plugin")]
    plugin_config: Option<PathBuf>,
    /// Seconds between an event and its first attempt
    #[arg(long, value_name = "SECONDS")]
    delay_s: Option<u32>,
    /// Create it as a draft, which sends nothing until it is activated
    #[arg(long)]
    draft: bool,
    /// Create it even if another one is identical; both then send
    #[arg(long)]
    allow_identical: bool,
}

pub(super) async fn run(session: &Session, args: Args) -> anyhow::Result<()> {
    let mut url = session.at("subscriptions")?;
    if args.allow_identical {
        url += "?allow_identical=true";
    }
    let body = Value::Object(definition(args)?).to_string();
    let created = session.send(Method::POST, url, Some(body)).await?;
    session.answer(&created, |created| {
        let id = super::text(created, "id");
        let next = match created["state"].as_str() {
            Some("active") => "its signing secret: hookmill subscriptions secret",
            _ => "next: hookmill subscriptions activate",
        };
        format!("{}\n{next} {id}", super::outcome(created, "was created and is"))
    })
}

/// Joins file and flags.
fn definition(args: Args) -> anyhow::Result<Map<String, Value>> {
    let mut definition = match &args.file {
        Some(file) => {
            let text = read_json(file)?;
            serde_json::from_str(&text).with_context(|| format!("reading {}: expected an object", file.display()))?
        }
        None => Map::new(),
    };
    let flags = [("name", args.name), ("url", args.to), ("condition", args.condition), ("profile", args.profile)];
    for (member, value) in flags {
        if let Some(value) = value {
            definition.insert(member.to_owned(), value.into());
        }
    }
    if !args.event_type.is_empty() {
        definition.insert("event_types".to_owned(), args.event_type.into());
    }
    if let Some(plugin) = args.plugin {
        let (name, version) = plugin.split_once('@').map_or((&*plugin, None), |(name, range)| (name, Some(range)));
        let mut plugin = json!({"name": name});
        if let Some(version) = version {
            plugin["version"] = version.into();
        }
        if let Some(file) = &args.plugin_config {
            plugin["config"] = serde_json::from_str(&read_json(file)?)?;
        }
        definition.insert("plugin".to_owned(), plugin);
    }
    if let Some(delay) = args.delay_s {
        definition.insert("delay_s".to_owned(), delay.into());
    }
    if args.draft {
        definition.insert("state".to_owned(), "draft".into());
    } else if !definition.contains_key("event_types") && args.file.is_none() {
        anyhow::bail!(Usage("no event types: give --event-type TYPE, or --draft to add them later".to_owned()));
    }
    Ok(definition)
}
