//! `hookmill spaces`: one tenant's events and subscriptions each.

use clap::Subcommand;
use hookmill_model::SpaceId;
use http::Method;
use serde_json::{Value, json};

use super::session::{Session, text};
use super::table::{Column, facts};
use super::time::{exact, relative};
use super::{Confirm, Limit, print};

pub(super) const EXAMPLES: &str = "\
Examples:
  hookmill spaces list
  hookmill spaces create acme --name 'Acme Inc.' --administrator ada@acme.example
  hookmill spaces show acme";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the spaces that the key may see
    List(Limit),
    /// Show a space
    Show {
        /// The space's id
        id: SpaceId,
    },
    /// Create a space (with an admin key)
    Create {
        /// Its id: 1 to 63 characters of a-z, 0-9 and -
        id: SpaceId,
        /// A name for people
        #[arg(long)]
        name: Option<String>,
        /// Notify this e-mail address when deliveries fail; may be repeated
        #[arg(long, value_name = "E-MAIL")]
        administrator: Vec<String>,
    },
    /// Delete a space with all it has (with an admin key)
    Delete {
        /// The space's id
        id: SpaceId,
        #[command(flatten)]
        confirm: Confirm,
    },
}

pub(super) async fn run(command: Command, session: &Session) -> anyhow::Result<()> {
    match command {
        Command::List(Limit { limit }) => list(session, limit).await,
        Command::Show { id } => {
            let space = session.get(session.top(&format!("spaces/{id}"))).await?;
            session.answer(&space, |space| show(session, space))
        }
        Command::Create { id, name, administrator } => {
            let mut body = json!({"id": id});
            if let Some(name) = name {
                body["name"] = name.into();
            }
            if !administrator.is_empty() {
                body["administrators"] = administrator.into();
            }
            let created = session.send(Method::POST, session.top("spaces"), Some(body.to_string())).await?;
            session.answer(&created, |space| {
                format!("created {0}\nnext: hookmill subscriptions create --space {0} --help", text(space, "id"))
            })
        }
        Command::Delete { id, confirm } => {
            let question = format!("Delete the space {id} with its events, subscriptions, plugins and history?");
            session.confirm(&confirm, &question)?;
            session.send(Method::DELETE, session.top(&format!("spaces/{id}")), None).await?;
            if session.json { Ok(()) } else { print(&format!("deleted {id}")) }
        }
    }
}

async fn list(session: &Session, limit: usize) -> anyhow::Result<()> {
    let listing = session.list(&session.top("spaces"), &[], limit).await?;
    let columns = [Column::Whole("ID"), Column::Short("NAME"), Column::Whole("CREATED")];
    let row = |space: &Value| {
        vec![text(space, "id").into(), text(space, "name").into(), relative(&space["created_at"], session.now()).into()]
    };
    session.answer_list(&listing, &columns, row, "no spaces; next: hookmill spaces create ID")
}

fn show(session: &Session, space: &Value) -> String {
    let joined = |member: &str| {
        let texts = space[member].as_array().into_iter().flatten().filter_map(Value::as_str);
        crate::text::on_one_line(&texts.collect::<Vec<_>>().join(", "))
    };
    let facts = facts(&[
        ("id", text(space, "id")),
        ("name", text(space, "name")),
        ("administrators", joined("administrators")),
        ("plugin keys", joined("plugin_keys")),
        ("indexed paths", joined("indexed_paths")),
        ("history", format!("{} days", text(space, "keep_days"))),
        ("at most bytes", text(space, "keep_bytes")),
        ("created", exact(&space["created_at"], session.now())),
    ]);
    facts.trim_end().to_owned()
}
