//! `hookmill plugin push`: a component to a host.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;

use super::project::Project;
use super::style::{self, GOOD};
use super::{build, engine};
use crate::cli::remote::{self, Remote};

/// How long the host may take: it compiles the component, for a minute at most, and two at a time.
const ANSWER_WITHIN: Duration = Duration::from_secs(200);

/// What `plugin push` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component; else the one that the project here was built into
    file: Option<PathBuf>,

    #[command(flatten)]
    remote: Remote,
}

/// Sends it.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let Args { file, remote } = args;
    let file = match file {
        Some(file) => file.clone(),
        None => Project::find(".".as_ref())?.component(),
    };
    ensure!(file.is_file(), "there is no {}: `hookmill plugin build` makes it", build::shown(&file));
    let component = engine::read(&file)?;
    let size = style::bytes(component.len() as u64);
    let working = style::working(format!("sending {size}, which the host compiles"));
    let request = remote::client(ANSWER_WITHIN)?.post(remote.at("plugins"));
    let plugin: Value = remote.ask(request.header("content-type", "application/wasm").body(component)).await?;
    drop(working);
    if json {
        anstream::println!("{plugin}");
    } else {
        let text = |member: &str| plugin[member].as_str().unwrap_or_default();
        anstream::println!("{GOOD}pushed{GOOD:#} {} {}  {}", text("name"), text("version"), text("digest"));
    }
    Ok(())
}
