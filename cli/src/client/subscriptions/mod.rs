//! `hookmill subscriptions`: which events go where, when and in what shape.

mod create;
mod edit;

use clap::Subcommand;
use hookmill_model::SubscriptionId;
use http::Method;
use serde_json::Value;

use super::session::{Session, text};
use super::table::{Cell, Column, facts};
use super::time::{exact, relative};
use super::{Confirm, Limit, print};
use crate::text::on_one_line;

pub(super) const EXAMPLES: &str = "\
Examples:
  hookmill subscriptions create --name 'Won deals' --to https://hooks.zapier.com/hooks/catch/1/a/ \\
      --event-type 'deal.*' --condition 'event.data.status == \"won\"' --plugin zapier
  hookmill subscriptions create --file subscription.json --draft
  hookmill subscriptions edit sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E       in $EDITOR; only what you change is sent
  hookmill subscriptions show sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E --json >subscription.json";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the subscriptions, oldest first
    List(Limit),
    /// Show a subscription; with --json, every member
    Show {
        /// The subscription's id (sub_…)
        id: SubscriptionId,
    },
    /// Create a subscription from flags or a file, and activate it unless it is a draft
    Create(create::Args),
    /// Change a subscription in $VISUAL or $EDITOR, or by a file
    Edit(edit::Args),
    /// Stop sending; what is accepted until it is activated again is held
    Pause {
        /// The subscription's id (sub_…)
        id: SubscriptionId,
    },
    /// Start sending, once the endpoint has passed the handshake, if there is one
    Activate {
        /// The subscription's id (sub_…)
        id: SubscriptionId,
    },
    /// Print the signing secret, with which the receiver verifies
    Secret {
        /// The subscription's id (sub_…)
        id: SubscriptionId,
    },
    /// Delete a subscription; its deliveries that wait are canceled
    Delete {
        /// The subscription's id (sub_…)
        id: SubscriptionId,
        #[command(flatten)]
        confirm: Confirm,
    },
}

pub(super) async fn run(command: Command, session: &Session) -> anyhow::Result<()> {
    match command {
        Command::List(Limit { limit }) => list(session, limit).await,
        Command::Show { id } => {
            let found = session.get(session.at(&format!("subscriptions/{id}"))?).await?;
            session.answer(&found, |found| show(session, found))
        }
        Command::Create(args) => create::run(session, args).await,
        Command::Edit(args) => edit::run(session, args).await,
        Command::Pause { id } => change(session, id, "pause").await,
        Command::Activate { id } => change(session, id, "activate").await,
        Command::Secret { id } => {
            let secret = session.get(session.at(&format!("subscriptions/{id}/secret"))?).await?;
            session.answer(&secret, |secret| {
                text(secret, if secret["public_key"].is_null() { "secret" } else { "public_key" })
            })
        }
        Command::Delete { id, confirm } => {
            session.confirm(&confirm, &format!("Delete the subscription {id} and cancel its deliveries that wait?"))?;
            session.send(Method::DELETE, session.at(&format!("subscriptions/{id}"))?, None).await?;
            if session.json { Ok(()) } else { print(&format!("deleted {id}")) }
        }
    }
}

/// Pauses or activates.
async fn change(session: &Session, id: SubscriptionId, how: &str) -> anyhow::Result<()> {
    let url = session.at(&format!("subscriptions/{id}/{how}"))?;
    let changed = session.send(Method::POST, url, None).await?;
    session.answer(&changed, |changed| outcome(changed, "is"))
}

/// `sub_… is active`, with what the handshake found if it did not pass.
fn outcome(subscription: &Value, verb: &str) -> String {
    let report = &subscription["handshake_report"];
    let reason = if report["passed"] == false { format!(": {}", text(report, "reason")) } else { String::new() };
    format!("{} {verb} {}{reason}", text(subscription, "id"), text(subscription, "state"))
}

async fn list(session: &Session, limit: usize) -> anyhow::Result<()> {
    let listing = session.list(&session.at("subscriptions")?, &[], limit).await?;
    let columns = [
        Column::Whole("ID"),
        Column::Whole("STATE"),
        Column::Short("NAME"),
        Column::Number("FAILURES"),
        Column::Whole("LAST SENT"),
        Column::Short("EVENTS"),
        Column::Short("URL"),
    ];
    let row = |subscription: &Value| {
        let last = relative(&subscription["last_triggered_at"], session.now());
        vec![
            text(subscription, "id").into(),
            Cell::state(text(subscription, "state")),
            text(subscription, "name").into(),
            text(subscription, "failure_streak").into(),
            if last.is_empty() { "never".to_owned() } else { last }.into(),
            event_types(subscription).into(),
            text(subscription, "url").into(),
        ]
    };
    let empty = "no subscriptions; next: hookmill subscriptions create --help";
    session.answer_list(&listing, &columns, row, empty)
}

fn event_types(subscription: &Value) -> String {
    let types = subscription["event_types"].as_array().into_iter().flatten().filter_map(Value::as_str);
    on_one_line(&types.collect::<Vec<_>>().join(", "))
}

fn show(session: &Session, subscription: &Value) -> String {
    let now = session.now();
    let of = |member: &str| text(subscription, member);
    let unless = |value: String, default: &str| if value == default { String::new() } else { value };
    let plugin = &subscription["plugin"];
    let plugin = [text(plugin, "name"), text(plugin, "version"), text(plugin, "held_back")].join(" ");
    let state = Cell::state(of("state")).styled();
    let failures = match of("failure_streak").as_str() {
        "0" => String::new(),
        attempts => format!("{attempts} attempts, {} deliveries in a row", of("failed_deliveries")),
    };
    let facts = facts(&[
        ("id", of("id")),
        ("name", of("name")),
        ("description", of("description")),
        ("state", [state, of("pause_reason"), of("pause_detail")].join(" ").trim_end().to_owned()),
        ("profile", unless(of("profile"), "standard")),
        ("url", of("url")),
        ("event types", event_types(subscription)),
        ("trigger", of("trigger")),
        ("condition", of("condition")),
        ("plugin", plugin.trim().to_owned()),
        ("content type", of("content_type")),
        ("delay", unless(format!("{} s", of("delay_s")), "0 s")),
        ("retries after", format!("{} s", text(&subscription["retry"], "schedule_s"))),
        ("signing", text(&subscription["signing"], "scheme")),
        ("handshake", unless(text(&subscription["handshake"], "kind"), "none")),
        ("handshake's result", text(&subscription["handshake_report"], "reason")),
        ("last sent", exact(&subscription["last_triggered_at"], now)),
        ("failures", failures),
        ("created", exact(&subscription["created_at"], now)),
        ("changed", exact(&subscription["updated_at"], now)),
    ]);
    facts.trim_end().to_owned()
}
