//! `hookmill import`: creates subscriptions of a running host from another system's webhook definitions.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use hookmill_server::subscriptions::import::{self, Converted, FILE_BYTES_MAX, ImportError, Imported, Note};
use http::StatusCode;
use serde_json::Value;

use super::remote::{self, HOSTS_HELP, Remote, RemoteArgs};

/// Time limit of the host's response for one subscription: its handshake gives the receiver a minute.
const TIMEOUT: Duration = Duration::from_secs(90);

const AFTER_HELP: &str = "\
The file is a JSON array of definitions, one definition, or an object that contains the array; at most 8 MiB and 10,000
definitions:
  leadsquared  the list of the webhook API, or the bodies of calls that create and update webhooks
  livespace    subscriptions (name, url, events, active, secret, fields) and workflows (trigger, condition, effect)
  breakcold    endpoints (url, events, secret, is_paused), of either generation

Prints one line for each definition, and then what could not be carried over unchanged. A definition that was switched off,
or that would mean something else here, becomes a draft, which sends nothing until it is activated. The values of secrets
and of LeadSquared's custom headers are not printed. Importing a file twice creates no duplicates: the host refuses an
identical subscription.

  hookmill import leadsquared webhooks.json --space acme --dry-run
  HOOKMILL_KEY=hmk_… hookmill import leadsquared webhooks.json --space acme

Exit codes: 0 every definition imported, 1 a definition refused or not importable, or the host not reachable, 2 invalid
arguments.";

/// The arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{AFTER_HELP}\n\n{HOSTS_HELP}"))]
pub(super) struct Args {
    /// The system that the definitions are from
    #[arg(value_enum)]
    system: System,

    /// The exported definitions (JSON)
    file: PathBuf,

    #[command(flatten)]
    remote: RemoteArgs,

    /// Print what would be created, and create nothing
    #[arg(long)]
    dry_run: bool,
}

/// A system whose definitions can be read.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum System {
    /// LeadSquared
    Leadsquared,
    /// Livespace
    Livespace,
    /// Breakcold
    Breakcold,
}

impl System {
    fn import(self, export: &Value) -> Result<Imported, ImportError> {
        match self {
            Self::Leadsquared => import::leadsquared(export),
            Self::Livespace => import::livespace(export),
            Self::Breakcold => import::breakcold(export),
        }
    }
}

/// Runs the import.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let Args { system, file, remote, dry_run } = args;
    let remote = (!dry_run).then(|| remote.resolve()).transpose()?;
    let export = read(&file).with_context(|| format!("reading {}", file.display()))?;
    let Imported { subscriptions, report } = system.import(&export)?;
    let total = subscriptions.len() + report.iter().filter(|note| note.refused).count();
    let created = if let Some(remote) = remote {
        create_all(&remote, &subscriptions).await
    } else {
        subscriptions.iter().for_each(show);
        Ok(subscriptions.len())
    };
    // Reported even if a request failed.
    show_notes(&report);
    let created = created?;
    ensure!(created == total, "{} of {total} definitions were not imported", total - created);
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let mut bytes = Vec::new();
    // One byte above the limit shows that the file is too large, without reading all of it.
    File::open(file)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(import::read(&bytes)?)
}

/// Prints a subscription that would be created, without its secrets.
#[expect(clippy::print_stdout, reason = "the output of the command")]
fn show(Converted { which, body }: &Converted) {
    let mut body = body.clone();
    let headers = body.get_mut("headers").and_then(Value::as_array_mut).into_iter().flatten();
    headers.filter_map(|header| header.get_mut("value")).for_each(|value| *value = "***".into());
    if let Some(secret) = body.get_mut("secret") {
        *secret = "***".into();
    }
    println!("{which}: would be created: {body}");
}

/// Creates the subscriptions and prints the result of each; returns how many were created.
#[expect(clippy::print_stdout, reason = "the output of the command")]
async fn create_all(remote: &Remote, subscriptions: &[Converted]) -> anyhow::Result<usize> {
    let (client, url) = (remote::client(TIMEOUT)?, remote.at("subscriptions")?);
    let mut created = 0;
    for Converted { which, body } in subscriptions {
        let request = remote.signed_in(client.post(&url)).header("content-type", "application/json");
        let response = request.body(body.to_string()).send().await.context("calling the host")?;
        let status = response.status();
        let document: Value = serde_json::from_str(&response.text().await?).unwrap_or_default();
        let text = |member: &str| document[member].as_str().unwrap_or_default();
        match status {
            StatusCode::CREATED => {
                created += 1;
                println!("{which}: created {}, {}", text("id"), text("state"));
            }
            // Concerns this definition only; the others may succeed.
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE => {
                println!("{which}: refused by the host: {}", text("detail"));
            }
            _ => bail!("{which}: the host responded with {status}: {}", text("detail")),
        }
    }
    Ok(created)
}

/// Prints what was not carried over unchanged.
#[expect(clippy::print_stdout, reason = "the output of the command")]
fn show_notes(report: &[Note]) {
    if !report.is_empty() {
        println!("\nNot carried over unchanged:");
    }
    for Note { which, what, refused } in report {
        println!("  {which}: {}{what}", if *refused { "not imported: " } else { "" });
    }
}
