//! `hookmill plugin pull`: downloads a component from an OCI registry, and verifies its digests.

use std::path::PathBuf;

use anyhow::Context as _;
use hookmill_engine::Limits;
use hookmill_server::plugins::oci::{self, Pulled, Reference, Registries};
use serde_json::json;

use super::style::{self, DIM, GOOD};

/// The arguments of `plugin pull`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component's reference: oci://registry/repository:tag, or …@sha256:…
    reference: Reference,

    /// The file to write
    #[arg(long, short, value_name = "FILE", default_value = "plugin.wasm")]
    output: PathBuf,

    /// Use HTTP without TLS for a registry that is not on this machine
    #[arg(long)]
    plain_http: bool,
}

/// Downloads the component, and writes it to the file.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let Args { reference, output, plain_http } = args;
    let registries = Registries::of_user(reference, *plain_http, Limits::default().component_bytes_max);
    let working = style::working(format!("pulling from {}", reference.registry()));
    let Pulled { reference, component, digest, signature, .. } = oci::pull(&registries, reference).await?;
    drop(working);
    std::fs::write(output, &component).with_context(|| format!("writing {}", output.display()))?;
    if json {
        let reference = reference.to_string();
        anstream::println!(
            "{}",
            json!({"file": output, "digest": digest, "reference": reference, "signature": signature})
        );
    } else {
        anstream::println!("{GOOD}pulled{GOOD:#} {}  {digest}", output.display());
        anstream::println!("{DIM}from{DIM:#}   {reference}");
    }
    Ok(())
}
