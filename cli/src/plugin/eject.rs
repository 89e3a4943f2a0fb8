//! `hookmill plugin eject`: a configuration of the bundled plugin `javascript` becomes a project of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::Url;

use super::new;
use super::project::Language;
use super::style::BOLD;
use crate::remote::{self, Remote};
use hookmill_model::{PluginName, SpaceId, SubscriptionId};

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The module that the code is put into.
const MODULE: &str = include_str!("../../../plugins/javascript/eject/plugin.js");

/// What `plugin eject` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The new plugin's name, and the folder's
    name: PluginName,

    /// The configuration: {"code": …, "config": …}
    #[arg(long, value_name = "FILE.json", required_unless_present = "subscription")]
    config: Option<PathBuf>,

    /// The subscription that has the configuration, instead of a file
    #[arg(long, value_name = "ID", conflicts_with = "config", requires_all = ["space", "key"])]
    subscription: Option<SubscriptionId>,

    /// The subscription's space
    #[arg(long)]
    space: Option<SpaceId>,

    /// Where the host's API is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8470")]
    url: Url,

    /// An API key that may manage the space
    #[arg(long, env = "HOOKMILL_KEY", hide_env_values = true)]
    key: Option<String>,
}

/// A configuration of the plugin `javascript`.
#[derive(Deserialize)]
struct Configuration {
    code: String,
    config: Option<Box<RawValue>>,
}

/// Makes the project.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let text = configuration(args).await?;
    let wrong = "this is no configuration of the plugin `javascript`: {\"code\": …, \"config\": …}";
    let Configuration { code, config } = serde_json::from_str(&text).context(wrong)?;
    let root = Path::new(args.name.as_str());
    new::write(root, &args.name, Language::Javascript)?;
    replace_example(root, &args.name, &code, config.as_deref().map_or("{}", RawValue::get))?;
    if json {
        anstream::println!("{}", json!({"project": root, "language": Language::Javascript.as_str()}));
    } else {
        anstream::println!("{BOLD}{}{BOLD:#} has the code in src/plugin.js. Next:\n", root.display());
        anstream::println!("  cd {}\n  npm install\n  hookmill plugin test --build --update", root.display());
    }
    Ok(())
}

async fn configuration(args: &Args) -> anyhow::Result<String> {
    if let Some(file) = &args.config {
        return std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()));
    }
    let (id, space) = args.subscription.zip(args.space.clone()).context("--subscription and --space are needed")?;
    let remote = Remote { url: args.url.clone(), key: args.key.clone().context("--key is needed")?, space };
    let request = remote::client(ANSWER_WITHIN)?.get(remote.at(&format!("subscriptions/{id}")));
    let subscription: Value = remote.ask(request).await?;
    let name = subscription["plugin"]["name"].as_str().unwrap_or("none");
    ensure!(name == "javascript", "the subscription's plugin is {name} and not javascript");
    Ok(subscription["plugin"]["config"].to_string())
}

/// Puts the code where the template has its example, and a delivery to try it with where that has its golden pairs.
fn replace_example(root: &Path, name: &PluginName, code: &str, config: &str) -> anyhow::Result<()> {
    let golden = root.join("golden");
    std::fs::remove_dir_all(&golden).context("removing the example's golden pairs")?;
    std::fs::remove_file(root.join("src/plugin.test.js")).context("removing the example's test")?;
    // The name first: the code may hold the placeholder, and stays as it is.
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
