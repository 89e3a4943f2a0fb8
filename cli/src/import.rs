//! `hookmill import`: another system's definitions of webhooks become subscriptions of a running host.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::remote;
use hookmill_model::SpaceId;
use hookmill_server::subscriptions::import::{self, Converted, FILE_BYTES_MAX, ImportError, Imported, Note};

/// How long the host may take for one subscription: it may ask the receiver first, which has a minute for its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);

const AFTER_HELP: &str = "\
An export is a JSON array of definitions, one definition, or an object that holds the array, at most 8 MiB and 10,000
definitions:
  leadsquared  what the webhook API lists, or the bodies of the calls that create and update webhooks
  livespace    subscriptions (name, url, events, active, secret, fields) and workflows (trigger, condition, effect)
  breakcold    endpoints (url, events, secret, is_paused), of either generation

There is one line for each definition, and then what could not be carried over as it was. What was switched off, and
what would mean something else here, becomes a draft, which sends nothing until it is activated. Values of secrets and
of LeadSquared's custom headers are not printed. Importing the same file again makes nothing twice: the host refuses
an identical subscription.

  hookmill import leadsquared webhooks.json --space acme --dry-run
  HOOKMILL_KEY=hmk_… hookmill import leadsquared webhooks.json --space acme

Exit codes: 0 all was carried over, 1 a definition was refused or could not be carried over, or the host could not be
reached, 2 the arguments were wrong.";

/// What `import` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Which system the definitions are from
    #[arg(value_enum)]
    system: System,

    /// The export (JSON)
    file: PathBuf,

    /// Where the host's API is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8470")]
    url: Url,

    /// An API key that may manage the space
    #[arg(long, env = "HOOKMILL_KEY", hide_env_values = true, required_unless_present = "dry_run")]
    key: Option<String>,

    /// The space that gets the subscriptions
    #[arg(long)]
    space: SpaceId,

    /// Show what would be created, and create nothing
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
    let Args { system, file, url, key, space, dry_run } = args;
    let export = read(&file).with_context(|| format!("reading {}", file.display()))?;
    let Imported { subscriptions, report } = system.import(&export)?;
    let total = subscriptions.len() + report.iter().filter(|note| note.refused).count();
    let created = if dry_run {
        subscriptions.iter().for_each(show);
        Ok(subscriptions.len())
    } else {
        let url = format!("{}/v1/spaces/{space}/subscriptions", url.as_str().trim_end_matches('/'));
        create_all(&url, &key.context("there is no key")?, &subscriptions).await
    };
    // Whatever became of the requests, this is what whoever imports must know.
    tell(&report);
    let created = created?;
    ensure!(created == total, "{} of {total} definitions were not carried over", total - created);
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let mut bytes = Vec::new();
    // One byte more than may be tells that there is too much, without reading it all.
    File::open(file)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(import::read(&bytes)?)
}

/// Shows what would be created.
#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn show(Converted { which, body }: &Converted) {
    let mut body = body.clone();
    let headers = body.get_mut("headers").and_then(Value::as_array_mut).into_iter().flatten();
    headers.filter_map(|header| header.get_mut("value")).for_each(|value| *value = "***".into());
    if let Some(secret) = body.get_mut("secret") {
        *secret = "***".into();
    }
    println!("{which}: would be created: {body}");
}

/// Creates the subscriptions, and tells of each; how many were created.
#[expect(clippy::print_stdout, reason = "it is what was asked for")]
async fn create_all(url: &str, key: &str, subscriptions: &[Converted]) -> anyhow::Result<usize> {
    let client = remote::client(ANSWER_WITHIN)?;
    let mut created = 0;
    for Converted { which, body } in subscriptions {
        let request = client.post(url).bearer_auth(key).header("content-type", "application/json");
        let response = request.body(body.to_string()).send().await.context("calling the host")?;
        let status = response.status();
        let answer: Value = serde_json::from_str(&response.text().await?).unwrap_or_default();
        let text = |member: &str| answer[member].as_str().unwrap_or_default();
        match status {
            StatusCode::CREATED => {
                created += 1;
                println!("{which}: created {}, {}", text("id"), text("state"));
            }
            // Of this one; the others may do.
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE => {
                println!("{which}: refused by the host: {}", text("detail"));
            }
            _ => bail!("{which}: the host answered {status}: {}", text("detail")),
        }
    }
    Ok(created)
}

/// Tells what was not carried over as it was.
#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn tell(report: &[Note]) {
    if !report.is_empty() {
        println!("\nNot carried over as it was:");
    }
    for Note { which, what, refused } in report {
        println!("  {which}: {}{what}", if *refused { "not carried over: " } else { "" });
    }
}
