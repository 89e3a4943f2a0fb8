//! `hookmill keys`: API keys.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use hookmill_model::KeyId;
use http::Method;
use serde_json::{Value, json};

use super::session::{Session, text};
use super::table::Column;
use super::time::relative;
use super::{Confirm, Limit, print};

pub(super) const EXAMPLES: &str = "\
A key has a role: `read` looks, `produce` posts events, `manage` changes what is in its space, `admin` everything.

Examples (all need an admin key):
  hookmill keys create shop --role produce --space acme
  hookmill keys create ops --role admin
  hookmill keys list";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the keys, without the keys themselves
    List(Limit),
    /// Create a key and print it, once
    Create {
        /// A name for people, such as the program that uses it
        name: String,
        /// What it may do
        #[arg(long, value_parser = PossibleValuesParser::new(["read", "produce", "manage", "admin"]))]
        role: String,
        /// The most requests a second
        #[arg(long, value_name = "N")]
        requests_per_s: Option<u32>,
    },
    /// Delete a key: requests with it are refused from then on
    Delete {
        /// The key's id (key_…)
        id: KeyId,
        #[command(flatten)]
        confirm: Confirm,
    },
}

pub(super) async fn run(command: Command, session: &Session) -> anyhow::Result<()> {
    match command {
        Command::List(Limit { limit }) => list(session, limit).await,
        Command::Create { name, role, requests_per_s } => {
            let mut body = json!({"name": name, "role": role});
            if role != "admin" {
                body["space"] = session.remote.space()?.as_str().into();
            }
            if let Some(requests) = requests_per_s {
                body["requests_per_s"] = requests.into();
            }
            let created = session.send(Method::POST, session.top("keys"), Some(body.to_string())).await?;
            session.answer(&created, |key| {
                format!("created {}; the key is shown only now:\n{}", text(key, "id"), text(key, "key"))
            })
        }
        Command::Delete { id, confirm } => {
            session.confirm(&confirm, &format!("Delete the key {id}? What uses it is refused from then on."))?;
            session.send(Method::DELETE, session.top(&format!("keys/{id}")), None).await?;
            if session.json { Ok(()) } else { print(&format!("deleted {id}")) }
        }
    }
}

async fn list(session: &Session, limit: usize) -> anyhow::Result<()> {
    let listing = session.list(&session.top("keys"), &[], limit).await?;
    let columns = [
        Column::Whole("ID"),
        Column::Whole("ROLE"),
        Column::Short("SPACE"),
        Column::Number("PER SECOND"),
        Column::Whole("CREATED"),
        Column::Short("NAME"),
    ];
    let row = |key: &Value| {
        let created = relative(&key["created_at"], session.now());
        let members = ["id", "role", "space", "requests_per_s"].map(|member| text(key, member).into());
        members.into_iter().chain([created.into(), text(key, "name").into()]).collect()
    };
    session.answer_list(&listing, &columns, row, "no keys")
}
