//! `hookmill plugin push`: uploads a component to a host, or to an OCI registry from which hosts pull it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use hookmill_engine::Limits;
use hookmill_model::Digest;
use hookmill_server::plugins::oci::{self, ArtifactInfo, Reference, Registries};
use hookmill_server::plugins::signature::SigningKey;
use serde_json::{Value, json};

use super::project::Project;
use super::style::{self, DIM, GOOD};
use super::{build, engine};
use crate::remote::{self, RemoteArgs};

/// Time limit of the host's response: it compiles the component, for at most a minute, and two components at a time.
const TIMEOUT: Duration = Duration::from_secs(200);

/// The request header of a signature.
const SIGNATURE: &str = "hookmill-plugin-signature";

/// The arguments of `plugin push`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component; by default that of the project in the current folder
    file: Option<PathBuf>,

    #[command(flatten)]
    remote: RemoteArgs,

    /// An OCI registry instead of a host: oci://registry/repository:tag
    ///
    /// Credentials are taken from HOOKMILL_REGISTRY_USER and HOOKMILL_REGISTRY_PASSWORD, or from docker login.
    #[arg(long, value_name = "REFERENCE", conflicts_with = "space")]
    to: Option<Reference>,

    /// Use HTTP without TLS for a registry that is not on this machine
    #[arg(long, requires = "to")]
    plain_http: bool,

    /// Sign it with this Ed25519 private key (PEM, from `openssl genpkey -algorithm ed25519`)
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
}

/// Uploads the component.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let file = match &args.file {
        Some(file) => file.clone(),
        None => Project::find(".".as_ref())?.component(),
    };
    ensure!(file.is_file(), "{} not found: run `hookmill plugin build` first", build::shown(&file));
    let component = engine::read(&file)?;
    let key = args.sign.as_deref().map(SigningKey::read).transpose()?;
    let signature = key.map(|key| key.sign(Digest::of(&component)));
    let pushed = match &args.to {
        Some(reference) => to_registry(reference, args.plain_http, component, signature).await?,
        None => to_host(args, component, signature).await?,
    };
    if json {
        anstream::println!("{pushed}");
    } else {
        let text = |member: &str| pushed[member].as_str().unwrap_or_default();
        anstream::println!("{GOOD}pushed{GOOD:#} {} {}  {}", text("name"), text("version"), text("digest"));
        if let Some(reference) = pushed["reference"].as_str() {
            anstream::println!("{DIM}as{DIM:#}     {reference}");
        }
    }
    Ok(())
}

async fn to_host(args: &Args, component: Bytes, signature: Option<String>) -> anyhow::Result<Value> {
    let remote = args.remote.clone().resolve()?;
    let size = style::bytes(component.len() as u64);
    let _working = style::working(format!("uploading {size}; the host compiles it"));
    let mut request = remote::client(TIMEOUT)?.post(remote.at("plugins")?);
    if let Some(signature) = signature {
        request = request.header(SIGNATURE, signature);
    }
    remote.ask(request.header("content-type", "application/wasm").body(component)).await
}

async fn to_registry(
    reference: &Reference,
    plain_http: bool,
    component: Bytes,
    signature: Option<String>,
) -> anyhow::Result<Value> {
    let inspected = engine::inspect(&engine::engine()?, component.clone()).await?;
    let registries = Registries::of_user(reference, plain_http, Limits::default().component_bytes_max);
    let info = ArtifactInfo::new(&inspected, signature.as_deref());
    let _working = style::working(format!("pushing to {}", reference.registry()));
    let pushed = oci::push(&registries, reference, component, &info).await?;
    Ok(json!({
        "name": inspected.name, "version": inspected.version, "digest": pushed.component,
        "reference": pushed.reference.to_string(), "manifest": pushed.manifest,
    }))
}
