//! `hookmill plugin list`: lists the plugins that a space can use.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::style::{BOLD, DIM};
use crate::remote::{self, RemoteArgs};

/// Time limit of each of the host's responses.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The arguments of `plugin list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
    next_cursor: Option<String>,
}

/// Lists the plugins.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let (client, remote) = (remote::client(TIMEOUT)?, args.remote.clone().resolve()?);
    let mut plugins = Vec::new();
    let mut cursor = None;
    loop {
        let query: Vec<(&str, String)> = cursor.into_iter().map(|cursor| ("cursor", cursor)).collect();
        let page: Page = remote.ask(client.get(remote.at("plugins")?).query(&query)).await?;
        plugins.extend(page.data);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if json {
        anstream::println!("{}", json!({"plugins": plugins}));
    } else {
        plugins.iter().for_each(show);
    }
    Ok(())
}

fn show(plugin: &Value) {
    let text = |member: &str| plugin[member].as_str().unwrap_or_default();
    let origin = if plugin["bundled"] == true { "bundled" } else { "" };
    anstream::println!(
        "{BOLD}{:<24}{BOLD:#}{:<12}{DIM}{origin:<9}{DIM:#}{}",
        text("name"),
        text("version"),
        text("summary")
    );
}
