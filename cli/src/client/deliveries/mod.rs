//! `hookmill deliveries`: what was sent, and what became of it.

mod show;
mod tail;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use hookmill_model::{DeliveryId, EventId, FaultCode, SubscriptionId};
use http::Method;
use serde_json::{Value, json};

use super::Limit;
use super::session::{Session, text};
use super::table::{Cell, Column};
use super::time::{relative, since};

pub(super) const EXAMPLES: &str = "\
Examples:
  hookmill deliveries list --state failed --since 1h --status 5xx
  hookmill deliveries show dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E       each attempt: request, response, log
  hookmill deliveries resend dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E     with the plugin as it is now
  hookmill deliveries list --state failed --json | jq -r '.data[].id' | xargs hookmill deliveries resend --verbatim
  hookmill deliveries tail --event-type 'deal.*'                live, until Ctrl-C";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List deliveries, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// Only deliveries of events accepted before this time (RFC 3339), or this long ago: 15m, 2h, 7d
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a delivery with its attempts: what was sent, what came back, what the plugin logged
    Show {
        /// The delivery's id (dlv_…)
        id: DeliveryId,
    },
    /// Send deliveries again, now
    Resend {
        /// The deliveries' ids (dlv_…)
        #[arg(required = true)]
        ids: Vec<DeliveryId>,
        /// Send the last request byte for byte, instead of one that the plugin makes now
        #[arg(long)]
        verbatim: bool,
    },
    /// Cancel deliveries that wait
    Cancel {
        /// The deliveries' ids (dlv_…)
        #[arg(required = true)]
        ids: Vec<DeliveryId>,
    },
    /// Print deliveries as they are made and change, until Ctrl-C
    ///
    /// Follows the newest 200 of the events accepted in the last hour, or since --since. With --json, one line for each.
    Tail {
        #[command(flatten)]
        filter: Filter,
    },
}

/// Which deliveries.
#[derive(Debug, clap::Args)]
pub(crate) struct Filter {
    /// Only deliveries in this state
    #[arg(long, value_parser = PossibleValuesParser::new(["pending", "held", "delivered", "failed", "skipped", "cancelled"]))]
    state: Option<String>,
    /// Only deliveries to this subscription (sub_…)
    #[arg(long, value_name = "ID")]
    subscription: Option<SubscriptionId>,
    /// Only deliveries of this event
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// Only deliveries of events of this type: `deal.won`, `deal.*`
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Only deliveries of events accepted at or after this time (RFC 3339), or since this long ago: 15m, 2h, 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only deliveries whose last attempt got this HTTP status: 503, 5xx
    #[arg(long)]
    status: Option<String>,
    /// Only deliveries whose last attempt failed so: timeout, dns, connect, tls, trapped, out_of_fuel …
    #[arg(long, value_name = "CODE")]
    fault: Option<FaultCode>,
    /// Only deliveries whose reason contains this text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only deliveries of events with this value at a path of their data that the space indexes: deal.id=7
    #[arg(long, value_name = "PATH=VALUE", value_parser = path_and_value)]
    data: Option<(String, String)>,
}

fn path_and_value(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').map(|(path, value)| (path.to_owned(), value.to_owned()));
    parts.ok_or_else(|| "expected a path and a value: deal.id=7".to_owned())
}

impl Filter {
    /// Returns the parameters of the API's list.
    fn query(self, session: &Session) -> anyhow::Result<Vec<(&'static str, String)>> {
        let since = self.since.map(|text| since(&text, session.now())).transpose()?;
        let (path, value) = self.data.unzip();
        let given = [
            ("state", self.state),
            ("subscription", self.subscription.map(|id| id.to_string())),
            ("event", self.event.map(|id| id.to_string())),
            ("event_type", self.event_type),
            ("since", since.map(|at| at.to_string())),
            ("status", self.status),
            ("fault", self.fault.map(FaultCode::name)),
            ("reason", self.reason),
            ("path", path),
            ("value", value),
        ];
        Ok(given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }
}

pub(super) async fn run(command: Command, session: &Session) -> anyhow::Result<()> {
    match command {
        Command::List { filter, until, limit } => {
            let mut query = filter.query(session)?;
            if let Some(until) = until {
                query.push(("until", since(&until, session.now())?.to_string()));
            }
            list(session, &query, limit.limit).await
        }
        Command::Show { id } => {
            let found = session.get(session.at(&format!("deliveries/{id}"))?).await?;
            session.answer(&found, |found| show::delivery(found, session.now()))
        }
        Command::Resend { ids, verbatim } => {
            let mode = if verbatim { "verbatim" } else { "fresh" };
            change(session, &ids, "resend", Some(json!({"mode": mode}).to_string())).await
        }
        Command::Cancel { ids } => change(session, &ids, "cancel", None).await,
        Command::Tail { filter } => {
            let query = filter.query(session)?;
            tail::run(session, query).await
        }
    }
}

async fn list(session: &Session, query: &[(&str, String)], limit: usize) -> anyhow::Result<()> {
    let listing = session.list(&session.at("deliveries")?, query, limit).await?;
    let columns = [
        Column::Whole("ID"),
        Column::Whole("STATE"),
        Column::Number("ATTEMPTS"),
        Column::Whole("ACCEPTED"),
        Column::Whole("NEXT"),
        Column::Short("TYPE"),
        Column::Short("REASON"),
        Column::Short("SUBSCRIPTION"),
    ];
    let row = |delivery: &Value| {
        let due = if delivery["state"] == "pending" { &delivery["due_at"] } else { &Value::Null };
        vec![
            text(delivery, "id").into(),
            Cell::state(state(delivery)),
            text(delivery, "attempt_count").into(),
            relative(&delivery["accepted_at"], session.now()).into(),
            relative(due, session.now()).into(),
            text(delivery, "event_type").into(),
            text(delivery, "reason").into(),
            text(delivery, "subscription_id").into(),
        ]
    };
    let empty = match query {
        [] => "no deliveries; next: hookmill events send TYPE --data JSON",
        _ => "no such deliveries; with fewer filters there may be some",
    };
    session.answer_list(&listing, &columns, row, empty)
}

/// The state in a word: one that waits for a further attempt is retrying, and has not failed.
fn state(delivery: &Value) -> String {
    match text(delivery, "state").as_str() {
        "pending" if delivery["attempt_count"] != 0 => "retrying".to_owned(),
        state => state.to_owned(),
    }
}

/// Changes each delivery; one that is refused does not keep the others from it.
async fn change(session: &Session, ids: &[DeliveryId], how: &str, body: Option<String>) -> anyhow::Result<()> {
    let mut refused = 0;
    for id in ids {
        let url = session.at(&format!("deliveries/{id}/{how}"))?;
        match session.send(Method::POST, url, body.clone()).await {
            Ok(changed) => session.answer(&changed, |changed| {
                format!("{} is {}", text(changed, "id"), Cell::state(state(changed)).styled())
            })?,
            Err(err) if ids.len() == 1 => return Err(err),
            Err(err) => {
                refused += 1;
                crate::remote::warn(&format!("{id}: {err:#}"));
            }
        }
    }
    anyhow::ensure!(refused == 0, "{refused} of {} were refused", ids.len());
    Ok(())
}
