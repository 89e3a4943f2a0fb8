//! `hookmill plugin push`: a component to a host, or to an OCI registry from which hosts pull it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use url::Url;

use super::project::Project;
use super::style::{self, DIM, GOOD};
use super::{build, engine};
use crate::remote::{self, Remote};
use hookmill_engine::Limits;
use hookmill_model::{Digest, SpaceId};
use hookmill_server::plugins::oci::{self, ArtifactInfo, Reference, Registries};
use hookmill_server::plugins::signature::SigningKey;

/// How long the host may take: it compiles the component, for a minute at most, and two at a time.
const ANSWER_WITHIN: Duration = Duration::from_secs(200);

/// The header that a signature is uploaded in.
const SIGNATURE: &str = "hookmill-plugin-signature";

/// What `plugin push` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component; else the one that the project here was built into
    file: Option<PathBuf>,

    /// The space of the host that gets it
    #[arg(long, required_unless_present = "to")]
    space: Option<SpaceId>,

    /// Where the host's API is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8470")]
    url: Url,

    /// An API key that may manage the space
    #[arg(long, env = "HOOKMILL_KEY", hide_env_values = true, required_unless_present = "to")]
    key: Option<String>,

    /// An OCI registry instead of a host: oci://registry/repository:tag
    ///
    /// Credentials are HOOKMILL_REGISTRY_USER and HOOKMILL_REGISTRY_PASSWORD, or those of docker login.
    #[arg(long, value_name = "REFERENCE", conflicts_with = "space")]
    to: Option<Reference>,

    /// Speak HTTP without TLS to a registry that is not on this machine
    #[arg(long, requires = "to")]
    plain_http: bool,

    /// Sign it with this Ed25519 private key (PEM, as `openssl genpkey -algorithm ed25519` makes it)
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
}

/// Sends it.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let file = match &args.file {
        Some(file) => file.clone(),
        None => Project::find(".".as_ref())?.component(),
    };
    ensure!(file.is_file(), "there is no {}: `hookmill plugin build` makes it", build::shown(&file));
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
    let (space, key) = args.space.clone().zip(args.key.clone()).context("--space and --key are needed")?;
    let remote = Remote { url: args.url.clone(), key, space };
    let size = style::bytes(component.len() as u64);
    let _working = style::working(format!("sending {size}, which the host compiles"));
    let mut request = remote::client(ANSWER_WITHIN)?.post(remote.at("plugins"));
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
