//! `hookmill event-types`: the catalog of a space.

use std::path::PathBuf;

use clap::Subcommand;
use hookmill_model::EventType;
use http::Method;
use serde_json::{Value, json};

use super::session::{Session, read_json, text};
use super::table::{Column, facts};
use super::time::{exact, relative};
use super::{Confirm, Limit, print};
use crate::remote::Usage;

pub(super) const EXAMPLES: &str = "\
Examples:
  hookmill event-types list --space acme
  hookmill event-types load livespace                     a CRM's whole catalog
  hookmill event-types set deal.won --description 'A deal was won' --example example.json --schema schema.json";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the event types
    List(Limit),
    /// Show an event type with its example and schema
    Show {
        /// The event type
        name: EventType,
    },
    /// Create an event type, or replace it as a whole
    Set(Set),
    /// Create the event types of a profile: livespace, breakcold or leadsquared
    Load {
        /// The profile
        profile: String,
    },
    /// Delete an event type; events of it are still accepted
    Delete {
        /// The event type
        name: EventType,
        #[command(flatten)]
        confirm: Confirm,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// The event type: words joined by dots
    name: EventType,
    /// What it means
    #[arg(long)]
    description: Option<String>,
    /// An example of the events' data, which tests and previews use (JSON; `-` is standard input)
    #[arg(long, value_name = "FILE")]
    example: Option<PathBuf>,
    /// A JSON Schema of the events' data, which events must match
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
}

pub(super) async fn run(command: Command, session: &Session) -> anyhow::Result<()> {
    match command {
        Command::List(Limit { limit }) => list(session, limit).await,
        Command::Show { name } => show(session, &name).await,
        Command::Set(set) => {
            let mut members = vec![];
            members.extend(set.description.map(|text| ("description", Value::from(text).to_string())));
            for (member, file) in [("example", set.example), ("schema", set.schema)] {
                members.extend(file.as_deref().map(read_json).transpose()?.map(|text| (member, text)));
            }
            // Joined as text: the numbers of the example stay as they are written.
            let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let url = session.at(&format!("event-types/{}", path(&set.name)))?;
            let saved = session.send(Method::PUT, url, Some(format!("{{{}}}", members.join(",")))).await?;
            session.answer(&saved, |saved| format!("saved {}", text(saved, "name")))
        }
        Command::Load { profile } => {
            let body = json!({"profile": profile}).to_string();
            let loaded = session.send(Method::POST, session.at("load-event-types")?, Some(body)).await?;
            session.answer(&loaded, |_| {
                format!("loaded the event types of {profile}; see them: hookmill event-types list")
            })
        }
        Command::Delete { name, confirm } => {
            session.confirm(&confirm, &format!("Delete the event type {name} with its example and schema?"))?;
            session.send(Method::DELETE, session.at(&format!("event-types/{}", path(&name)))?, None).await?;
            if session.json { Ok(()) } else { print(&format!("deleted {name}")) }
        }
    }
}

/// A type may contain slashes, which separate segments of a path.
fn path(name: &EventType) -> String {
    name.as_str().replace('/', "%2F")
}

async fn list(session: &Session, limit: usize) -> anyhow::Result<()> {
    let listing = session.list(&session.at("event-types")?, &[], limit).await?;
    let columns = [
        Column::Whole("NAME"),
        Column::Whole("SCHEMA"),
        Column::Whole("EXAMPLE"),
        Column::Whole("CHANGED"),
        Column::Short("DESCRIPTION"),
    ];
    let row = |kind: &Value| {
        let has = |member: &str| if kind[member].is_null() { "–" } else { "yes" }.to_owned();
        let changed = relative(&kind["created_at"], session.now());
        let cells = [text(kind, "name"), has("schema"), has("example"), changed, text(kind, "description")];
        cells.map(Into::into).into()
    };
    session.answer_list(&listing, &columns, row, "no event types; next: hookmill event-types set NAME, or load PROFILE")
}

/// The API lists event types, and has no request for one.
async fn show(session: &Session, name: &EventType) -> anyhow::Result<()> {
    let listing = session.list(&session.at("event-types")?, &[], usize::MAX).await?;
    let found = listing.find("name", name.as_str())?;
    let found =
        found.ok_or_else(|| Usage(format!("no event type `{name}`: `hookmill event-types list` lists them")))?;
    session.answer(found, |kind| {
        let pretty = |member: &str| match &kind[member] {
            Value::Null => String::new(),
            value => format!("\n{member}\n{value:#}"),
        };
        let facts = facts(&[
            ("name", text(kind, "name")),
            ("description", text(kind, "description")),
            ("changed", exact(&kind["created_at"], session.now())),
        ]);
        let documents = crate::text::on_lines(&format!("{}{}", pretty("example"), pretty("schema")));
        format!("{facts}{documents}").trim_end().to_owned()
    })
}
