//! `hookmill plugin inspect`: describes a component, and checks whether a host would accept it.

use std::path::PathBuf;

use anyhow::bail;
use hookmill_engine::Limits;
use hookmill_engine::{Inspected, Outline, outline};
use hookmill_server::plugins::admit::AdmitError;
use serde_json::json;

use super::style::{self, BAD, BOLD, DIM, GOOD};
use super::{build, engine};

/// The arguments of `plugin inspect`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component
    file: PathBuf,
}

/// Inspects the component, and prints its description.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let component = engine::read(&args.file)?;
    let size_bytes = component.len() as u64;
    let inspected = match engine::inspect(&engine::engine()?, component.clone()).await {
        Ok(inspected) => inspected,
        Err(AdmitError::Refused(refusal)) => {
            if json {
                anstream::println!("{}", json!({"accepted": false, "refusal": refusal.0, "size_bytes": size_bytes}));
            } else {
                anstream::println!("{BAD}refused{BAD:#} {}, {}", build::shown(&args.file), style::bytes(size_bytes));
            }
            bail!("a host would refuse it: {refusal}");
        }
        Err(err) => return Err(err.into()),
    };
    let outline = outline(&component, &Limits::default())?;
    if json {
        anstream::println!("{}", as_json(&inspected, &outline, size_bytes));
    } else {
        show(&inspected, &outline, size_bytes);
    }
    Ok(())
}

fn as_json(inspected: &Inspected, outline: &Outline, size_bytes: u64) -> serde_json::Value {
    let Inspected { digest, name, version, summary, content_types, config_schema } = inspected;
    let Outline { imports, exports } = outline;
    let contract = outline.contract().map(|version| version.to_string());
    json!({
        "accepted": true, "name": name, "version": version, "digest": digest, "summary": summary, "contract": contract,
        "content_types": content_types, "size_bytes": size_bytes, "imports": imports, "exports": exports,
        "config_schema": config_schema,
    })
}

fn show(inspected: &Inspected, outline: &Outline, size_bytes: u64) {
    let Inspected { digest, name, version, summary, content_types, config_schema } = inspected;
    anstream::println!("{BOLD}{name} {version}{BOLD:#}  {summary}");
    let size = format!("{} ({} bytes)", style::bytes(size_bytes), style::grouped(size_bytes));
    let contract = outline.contract().map_or_else(|| "unknown".to_owned(), |version| version.to_string());
    for (what, value) in [
        ("contract", &contract),
        ("digest", &digest.to_string()),
        ("size", &size),
        ("content types", &content_types.join(", ")),
    ] {
        anstream::println!("{DIM}{what:<14}{DIM:#}{value}");
    }
    show_names("imports", &outline.imports);
    anstream::println!("{DIM}{:<14}{DIM:#}{config_schema:#}", "configuration");
    anstream::println!("{GOOD}a host would accept it{GOOD:#}");
}

fn show_names(what: &str, names: &[String]) {
    let mut what = what;
    for name in names {
        anstream::println!("{DIM}{what:<14}{DIM:#}{}", name.escape_debug());
        what = "";
    }
}
