//! Plugins in OCI registries: pushed and pulled in the layout that `wkg` and the CNCF's Wasm OCI artifact use.
//!
//! A plugin is one manifest with one layer, the component ([`artifact`]). A manifest is a pure function of the
//! component, its description and its signature, so the same plugin has the same digest wherever and whenever it is
//! pushed. A pull tells which manifest and which component it got, and a reference by digest gets that one or nothing.
//!
//! The registry is not trusted: not with sizes (the manifest says how large the component is, what comes must be as
//! large and within the limit, and the [`gate`] counts bytes on the wire), not with content (every byte that is used is
//! held against a digest), not with addresses (whatever it redirects to goes through the gate). What the digest of a tag
//! is, the registry alone knows: for that there are references by digest, and signatures.
//!
//! The requests themselves are `oci-client`'s.

mod artifact;
mod client;
mod credentials;
mod gate;
mod reference;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::config::Config;
use hookmill_model::Digest;

pub use artifact::About;
pub use credentials::Credentials;
pub use reference::Reference;

use client::Session;

/// A push or a pull: 32 MiB in that time is a slow line, and a registry that drips holds nobody for longer.
const TIME_MAX: Duration = Duration::from_secs(300);

/// How registries are reached.
#[derive(Clone, Debug)]
pub struct Registries {
    /// Networks that may be connected to although they are not public.
    pub allow_networks: Vec<IpNet>,
    /// Whether to speak HTTP without TLS to registries beyond this machine, too.
    pub plain_http: bool,
    /// Authorities that are trusted beside the machine's own, in PEM.
    pub trusted_certificates: Option<Vec<u8>>,
    /// A component's size.
    pub component_bytes_max: usize,
    /// Who asks.
    pub credentials: Credentials,
}

impl Registries {
    /// As the host asks them: as nobody in particular, within its address policy.
    ///
    /// # Errors
    /// If the file of trusted certificates cannot be read.
    pub fn of_host(config: &Config) -> std::io::Result<Self> {
        let Config { send, oci, plugin, .. } = config;
        Ok(Self {
            allow_networks: [&send.allow_networks[..], &oci.allow_networks].concat(),
            plain_http: oci.plain_http,
            trusted_certificates: send.trusted_certificates.as_ref().map(std::fs::read).transpose()?,
            component_bytes_max: plugin.component_bytes_max,
            credentials: Credentials::none(),
        })
    }

    /// As the command line's user asks this registry: wherever it is, with the user's credentials.
    pub fn of_user(reference: &Reference, plain_http: bool, component_bytes_max: usize) -> Self {
        let everywhere = [IpNet::from(Ipv4Net::default()), IpNet::from(Ipv6Net::default())];
        Self {
            allow_networks: everywhere.to_vec(),
            plain_http,
            trusted_certificates: None,
            component_bytes_max,
            credentials: Credentials::of_user(reference.registry()),
        }
    }
}

/// Why a plugin was not pushed or pulled.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// The text names nothing that could be in a registry.
    #[error("`{text}` is no reference to a plugin: {right}")]
    Reference {
        /// The text.
        text: String,
        /// What would be right.
        right: &'static str,
    },
    /// The registry does not have it.
    #[error("there is no `{0}` in that registry")]
    NotFound(Reference),
    /// The registry wants credentials, or others.
    #[error("the registry does not let us in to `{0}`: it wants credentials, or other ones")]
    Denied(Reference),
    /// It is something else, or laid out otherwise.
    #[error("`{reference}` is no plugin: {why}")]
    NotAPlugin {
        /// What was asked for.
        reference: Reference,
        /// What is wrong with it.
        why: String,
    },
    /// It is larger than a component may be.
    #[error("`{reference}` is too large: {why}")]
    TooLarge {
        /// What was asked for.
        reference: Reference,
        /// By how much.
        why: String,
    },
    /// What came is not what was asked for.
    #[error("`{reference}` was tampered with or damaged: {why}")]
    Tampered {
        /// What was asked for.
        reference: Reference,
        /// What does not fit.
        why: String,
    },
    /// The registry, or what it leads to, may not be connected to.
    #[error("the registry is out of bounds: {0}")]
    OutOfBounds(String),
    /// The registry cannot be reached, or fails.
    #[error("the registry failed: {0}")]
    Registry(String),
}

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Where it is, by tag and digest.
    pub reference: Reference,
    /// The manifest's digest, which a reference names.
    pub manifest: Digest,
    /// The component's digest, which the host knows it by.
    pub component: Digest,
}

/// What was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Where it was, by the manifest's digest alone: what brings the same bytes for ever.
    pub reference: Reference,
    /// The manifest's digest.
    pub manifest: Digest,
    /// The component.
    pub component: Bytes,
    /// The component's digest.
    pub digest: Digest,
    /// The signature that was pushed with it.
    pub signature: Option<String>,
}

/// Pushes a component under a tag.
///
/// # Errors
/// If the reference has no tag, or the registry does not take it.
pub async fn push(
    registries: &Registries,
    reference: &Reference,
    component: Bytes,
    about: &About<'_>,
) -> Result<Pushed, OciError> {
    if reference.tag().is_none() || reference.digest().is_some() {
        return Err(reference.wrong("to push, it ends in a tag, such as :1.4.0"));
    }
    let artifact = artifact::Artifact::new(&component, about)
        .map_err(|why| OciError::NotAPlugin { reference: reference.clone(), why })?;
    let manifest = Digest::of(&artifact.manifest);
    in_time(async {
        let session = Session::open(registries, reference).await?;
        session.push_blob(component, artifact.component).await?;
        session.push_blob(artifact.config.clone(), Digest::of(&artifact.config)).await?;
        session.push_manifest(artifact.manifest).await
    })
    .await?;
    Ok(Pushed { reference: reference.with_digest(manifest), manifest, component: artifact.component })
}

/// Pulls a component.
///
/// # Errors
/// If it is not there, is no plugin, too large, not what its digests say, or out of bounds.
pub async fn pull(registries: &Registries, reference: &Reference) -> Result<Pulled, OciError> {
    in_time(pull_in_time(registries, reference)).await
}

/// Ends what takes too long as a whole; each step has its own limit.
async fn in_time<T>(work: impl Future<Output = Result<T, OciError>>) -> Result<T, OciError> {
    let too_slow = |_| Err(OciError::Registry(format!("it takes more than {} s", TIME_MAX.as_secs())));
    tokio::time::timeout(TIME_MAX, work).await.unwrap_or_else(too_slow)
}

async fn pull_in_time(registries: &Registries, reference: &Reference) -> Result<Pulled, OciError> {
    let session = Session::open(registries, reference).await?;
    let bytes = session.manifest().await?;
    let manifest = Digest::of(&bytes);
    if let Some(asked) = reference.digest().filter(|asked| *asked != manifest) {
        let why = format!("the manifest's digest is {manifest} and not {asked}");
        return Err(OciError::Tampered { reference: reference.clone(), why });
    }
    let not_a_plugin = |why| OciError::NotAPlugin { reference: reference.clone(), why };
    let layer = artifact::read(&bytes).map_err(not_a_plugin)?;
    let component = blob(&session, registries, reference, &layer).await?;
    let pinned = reference.with_digest(manifest).without_tag();
    Ok(Pulled { reference: pinned, manifest, component, digest: layer.digest, signature: layer.signature })
}

/// The layer's bytes: as many as it says, no more than are allowed, and of its digest.
async fn blob(
    session: &Session,
    registries: &Registries,
    reference: &Reference,
    layer: &artifact::Layer,
) -> Result<Bytes, OciError> {
    let max = registries.component_bytes_max;
    if layer.size > max as u64 {
        let why = format!("its component has {} bytes, and {max} are allowed", layer.size);
        return Err(OciError::TooLarge { reference: reference.clone(), why });
    }
    let tampered = |why: String| OciError::Tampered { reference: reference.clone(), why };
    let (announced, mut stream) = session.blob(layer.digest).await?;
    if let Some(announced) = announced.filter(|announced| *announced != layer.size) {
        return Err(tampered(format!("the manifest tells {} bytes, and the registry {announced}", layer.size)));
    }
    // What is announced need not come: memory is taken as it does.
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| session.broken(&error))?;
        if (bytes.len() + chunk.len()) as u64 > layer.size {
            return Err(tampered(format!("the component goes on after its {} bytes", layer.size)));
        }
        bytes.extend_from_slice(&chunk);
    }
    let (bytes, found) = (bytes.freeze(), "the component's digest is");
    match Digest::of(&bytes) {
        digest if digest == layer.digest => Ok(bytes),
        digest => Err(tampered(format!("{found} {digest} and not {}", layer.digest))),
    }
}
