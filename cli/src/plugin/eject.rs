//! `hookmill plugin eject`: makes a project from a configuration of the bundled plugin `javascript`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hookmill_model::{PluginName, SubscriptionId};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::new;
use super::project::Language;
use super::style::BOLD;
use crate::remote::{self, RemoteArgs};

/// Time limit of the host's response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The module that the code is inserted into.
const MODULE: &str = include_str!("../../../plugins/javascript/eject/plugin.js");

/// The arguments of `plugin eject`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of the new plugin and of the folder
    name: PluginName,

    /// The configuration: {"code": …, "config": …}
    #[arg(long, value_name = "FILE.json", required_unless_present = "subscription")]
    config: Option<PathBuf>,

    /// The subscription with the configuration, instead of a file
    #[arg(long, value_name = "ID", conflicts_with = "config")]
    subscription: Option<SubscriptionId>,

    #[command(flatten)]
    remote: RemoteArgs,
}

/// A configuration of the plugin `javascript`.
#[derive(Deserialize)]
struct Configuration {
    code: String,
    config: Option<Box<RawValue>>,
}

/// Makes the project, and prints the next commands.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let text = configuration(args).await?;
    let wrong = "not a configuration of the plugin `javascript`: expected {\"code\": …, \"config\": …}";
    let Configuration { code, config } = serde_json::from_str(&text).context(wrong)?;
    let root = Path::new(args.name.as_str());
    new::write(root, &args.name, Language::Javascript)?;
    replace_example(root, &args.name, &code, config.as_deref().map_or("{}", RawValue::get))?;
    if json {
        anstream::println!("{}", json!({"project": root, "language": Language::Javascript.as_str()}));
    } else {
        anstream::println!("{BOLD}{}{BOLD:#} contains the code in src/plugin.js. Next:\n", root.display());
        anstream::println!("  cd {}\n  npm install\n  hookmill plugin test --build --update", root.display());
    }
    Ok(())
}

async fn configuration(args: &Args) -> anyhow::Result<String> {
    if let Some(file) = &args.config {
        return std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()));
    }
    let (id, remote) = (args.subscription.context("--subscription is required")?, args.remote.clone().resolve()?);
    let request = remote::client(TIMEOUT)?.get(remote.at(&format!("subscriptions/{id}"))?);
    let subscription: Value = remote.ask(request).await?;
    let name = subscription["plugin"]["name"].as_str().unwrap_or("none");
    ensure!(name == "javascript", "the subscription's plugin is {name}: expected javascript");
    Ok(subscription["plugin"]["config"].to_string())
}

/// Replaces the template's example by the code, and its golden pairs by a delivery to try the code with.
fn replace_example(root: &Path, name: &PluginName, code: &str, config: &str) -> anyhow::Result<()> {
    let golden = root.join("golden");
    std::fs::remove_dir_all(&golden).context("removing the example's golden pairs")?;
    std::fs::remove_file(root.join("src/plugin.test.js")).context("removing the example's test")?;
    // The name first: the code may contain the placeholder, and must stay unchanged.
    let module = new::named(MODULE, name).replace("{{code}}", code);
    new::put(&root.join("src/plugin.js"), module.as_bytes())?;
    let delivery = format!(
        r#"{{
  "attempt": 1,
  "subscription": {{"name": "Example", "content_type": "application/json"}},
  "config": {config},
  "events": [{{"id": "evt_1", "type": "deal.won", "occurred_at": "2026-04-29T11:13:55.021Z", "data": {{"deal": {{"value": 12.50}}}}}}]
}}
"#
    );
    new::put(&golden.join("a-first-event.delivery.json"), delivery.as_bytes())
}
