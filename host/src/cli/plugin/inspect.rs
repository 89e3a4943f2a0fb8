//! `hookmill plugin inspect`: what a component is, and whether a host would take it.

use std::path::PathBuf;

use anyhow::bail;
use serde_json::json;

use super::style::{self, BAD, BOLD, DIM, GOOD};
use super::{build, engine};
use crate::transform::engine::{Anatomy, InspectError, Inspected};

/// What `plugin inspect` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component
    file: PathBuf,
}

/// Inspects.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let component = engine::read(&args.file)?;
    let anatomy = Anatomy::of(&component);
    let size_bytes = component.len() as u64;
    let inspected = match engine::inspect(&engine::engine()?, component).await {
        Ok(inspected) => inspected,
        Err(InspectError::Engine(err)) => return Err(err.into()),
        Err(InspectError::Refused(refusal)) => {
            if json {
                let Anatomy { contract, imports, exports } = &anatomy;
                anstream::println!(
                    "{}",
                    json!({"accepted": false, "refusal": refusal.0, "size_bytes": size_bytes, "contract": contract,
                        "imports": imports, "exports": exports})
                );
            } else {
                anstream::println!("{BAD}refused{BAD:#} {}, {}", build::shown(&args.file), style::bytes(size_bytes));
                show_names("imports", &anatomy.imports);
                show_names("exports", &anatomy.exports);
            }
            bail!("a host would refuse it: {refusal}");
        }
    };
    if json {
        anstream::println!("{}", as_json(&inspected, &anatomy, size_bytes));
    } else {
        show(&inspected, &anatomy, size_bytes);
    }
    Ok(())
}

fn as_json(inspected: &Inspected, anatomy: &Anatomy, size_bytes: u64) -> serde_json::Value {
    let Inspected { digest, name, version, summary, content_types, config_schema } = inspected;
    let Anatomy { contract, imports, exports } = anatomy;
    json!({
        "accepted": true, "name": name, "version": version, "digest": digest, "summary": summary, "contract": contract,
        "content_types": content_types, "size_bytes": size_bytes, "imports": imports, "exports": exports,
        "config_schema": config_schema,
    })
}

fn show(inspected: &Inspected, anatomy: &Anatomy, size_bytes: u64) {
    let Inspected { digest, name, version, summary, content_types, config_schema } = inspected;
    anstream::println!("{BOLD}{name} {version}{BOLD:#}  {summary}");
    let size = format!("{} ({} bytes)", style::bytes(size_bytes), style::grouped(size_bytes));
    let contract = anatomy.contract.as_deref().unwrap_or("unknown");
    for (what, value) in [
        ("contract", contract),
        ("digest", &digest.to_string()),
        ("size", &size),
        ("content types", &content_types.join(", ")),
    ] {
        anstream::println!("{DIM}{what:<14}{DIM:#}{value}");
    }
    show_names("imports", &anatomy.imports);
    anstream::println!("{DIM}{:<14}{DIM:#}{config_schema:#}", "configuration");
    anstream::println!("{GOOD}a host takes it{GOOD:#}");
}

fn show_names(what: &str, names: &[String]) {
    let mut what = what;
    for name in names {
        anstream::println!("{DIM}{what:<14}{DIM:#}{}", name.escape_debug());
        what = "";
    }
}
