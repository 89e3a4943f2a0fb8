//! `hookmill diagnose`: why a subscription's webhooks do not arrive.

use std::time::Duration;

use anyhow::ensure;
use hookmill_model::SubscriptionId;
use serde::Deserialize;

use super::remote::{self, HOSTS_HELP, RemoteArgs};
use super::text::on_one_line;

/// Time limit of the host's response: the endpoint has a minute to respond, and a plugin that is not cached a minute to
/// compile.
const TIMEOUT: Duration = Duration::from_secs(150);

const AFTER_HELP: &str = "\
Asks the host to run these checks, in this order:
  state           whether the subscription is active, and if not, why
  url_scheme      whether the URL is https
  url_spelling    whether the URL is one that Zapier, Make or n8n issues, or something copied by mistake
  dns             whether the receiver's name resolves
  address_policy  whether the operator allows this host to send there
  tls             whether the certificate is valid
  endpoint        the response to the handshake's request, or to HEAD, and its time
  events          which of the last 20 events match, and why the others do not
  identical       whether another subscription does the same
  plugin          the request that the plugin makes of the newest matching event, or of an example
  deliveries      the states of the last 20 deliveries

Each line begins with ✓ (ok), ! (possible cause), ✗ (problem) or – (nothing to check), and is followed by what to do.
The endpoint gets one request; no event or delivery is created, and nothing is changed.

  HOOKMILL_KEY=hmk_… hookmill diagnose sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E --space acme
  hookmill diagnose sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E --host staging

Exit codes: 0 no problem found, 1 a problem found or the host not reachable, 2 invalid arguments.";

/// The arguments of `diagnose`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{AFTER_HELP}\n\n{HOSTS_HELP}"))]
pub(super) struct Args {
    /// The subscription's id (sub_…)
    subscription: SubscriptionId,

    #[command(flatten)]
    remote: RemoteArgs,
}

/// The host's response.
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

/// Asks the host, and prints its findings.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let Args { subscription, remote } = args;
    let remote = remote.resolve()?;
    let url = remote.at(&format!("subscriptions/{subscription}/diagnose"))?;
    let Diagnosis { findings } = remote.ask(remote::client(TIMEOUT)?.post(url)).await?;
    findings.iter().for_each(show);
    let problems = findings.iter().filter(|finding| finding.result == "problem").count();
    ensure!(problems == 0, "problems found: {problems}");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the output of the command")]
fn show(Finding { check, result, finding, what_to_do }: &Finding) {
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
