//! `hookmill diagnose`: why a subscription's webhooks do not come.

use std::time::Duration;

use anyhow::ensure;
use serde::Deserialize;

use super::remote::{self, Remote};
use hookmill_model::SubscriptionId;

/// How long the host may take: the endpoint has a minute for its answer, a plugin that is not at hand one to compile.
const ANSWER_WITHIN: Duration = Duration::from_secs(150);

const AFTER_HELP: &str = "\
Asks the host to look at a subscription as you would, one thing after the other:
  state           whether it wants events at all, and if not, why
  url_scheme      whether the URL is https
  url_spelling    whether the URL is what Zapier, Make or n8n give out, or something copied by mistake
  dns             whether the host's name resolves
  address_policy  whether the operator lets this host send there
  tls             whether the certificate is valid
  endpoint        what it answers to the request of its handshake, or to a HEAD, and how fast
  events          which of the last 20 events match, and why the others do not
  identical       whether another subscription does the same
  plugin          what the plugin makes of the newest event that matches, or of an example
  deliveries      what became of the last 20

Each line begins with ✓ (well), ! (may be the trouble), ✗ (does not work) or – (nothing to look at), and has below it
what to do. The endpoint gets one request; no event and no delivery is made, and nothing is changed.

  HOOKMILL_KEY=hmk_… hookmill diagnose sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E --space acme

Exit codes: 0 there is no problem, 1 there is one, or the host could not be asked, 2 the arguments were wrong.";

/// What `diagnose` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The subscription's id
    subscription: SubscriptionId,

    #[command(flatten)]
    remote: Remote,
}

/// What the host answers.
#[derive(Deserialize)]
struct Diagnosis {
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    check: String,
    result: String,
    finding: String,
    what_to_do: Option<String>,
}

/// Asks the host, and tells what it found.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let Args { subscription, remote } = args;
    let url = remote.at(&format!("subscriptions/{subscription}/diagnose"));
    let Diagnosis { findings } = remote.ask(remote::client(ANSWER_WITHIN)?.post(url)).await?;
    findings.iter().for_each(tell);
    let problems = findings.iter().filter(|finding| finding.result == "problem").count();
    ensure!(problems == 0, "problems found: {problems}");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn tell(Finding { check, result, finding, what_to_do }: &Finding) {
    let mark = match result.as_str() {
        "ok" => '✓',
        "warning" => '!',
        "problem" => '✗',
        _ => '–',
    };
    println!("{mark} {check:<14}  {}", on_one_line(finding));
    if let Some(what_to_do) = what_to_do {
        println!("                  → {}", on_one_line(what_to_do));
    }
}

/// Findings hold what receivers answer and plugins log, which must not steer a terminal.
fn on_one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
