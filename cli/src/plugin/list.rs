//! `hookmill plugin list`: the plugins that a space can use.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::style::{BOLD, DIM};
use crate::remote::{self, Remote};

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What `plugin list` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
    next_cursor: Option<String>,
}

/// Lists them.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let client = remote::client(ANSWER_WITHIN)?;
    let mut plugins = Vec::new();
    let mut cursor = None;
    loop {
        let query: Vec<(&str, String)> = cursor.into_iter().map(|cursor| ("cursor", cursor)).collect();
        let page: Page = args.remote.ask(client.get(args.remote.at("plugins")).query(&query)).await?;
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
    let whose = if plugin["bundled"] == true { "bundled" } else { "" };
    anstream::println!(
        "{BOLD}{:<24}{BOLD:#}{:<12}{DIM}{whose:<9}{DIM:#}{}",
        text("name"),
        text("version"),
        text("summary")
    );
}
