//! Plugins in OCI registries: pushed and pulled in the layout that `wkg` and the CNCF's Wasm OCI artifact use.
//!
//! A plugin is one manifest with one layer, the component ([`artifact`]). A manifest is a pure function of the component,
//! its description and its signature, so the same plugin has the same digest wherever and whenever it is pushed. A pull
//! reports the manifest and the component that it got, and a reference by digest gets exactly that manifest or fails.
//!
//! The registry is not trusted: not with sizes (the component must be as large as the manifest states and within the
//! limit, and the [`gate`] counts bytes on the wire), not with content (every byte that is used is checked against a
//! digest), not with addresses (redirects go through the gate). Only the digest of a tag is the registry's word: references
//! by digest and signatures protect from that.
//!
//! `oci-client` makes the requests.

mod artifact;
mod client;
mod credentials;
mod gate;
mod reference;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use hookmill_model::Digest;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::config::{Config, OciConfig};
use crate::stages::send::address::AddressPolicy;

pub use artifact::ArtifactInfo;
pub use credentials::Credentials;
pub use reference::Reference;

use client::Session;

/// How registries are reached.
#[derive(Clone, Debug)]
pub struct Registries {
    /// Which addresses they may have.
    pub policy: AddressPolicy,
    /// Whether plain HTTP is used for registries on other machines too.
    pub plain_http: bool,
    /// Authorities that are trusted in addition to the machine's own, in PEM.
    pub trusted_certificates: Option<Vec<u8>>,
    /// The largest component.
    pub component_bytes_max: usize,
    /// The time that one push or pull may take.
    pub timeout: Duration,
    /// The credentials.
    pub credentials: Credentials,
}

impl Registries {
    /// As the host reaches them: without credentials, within its address policy.
    ///
    /// # Errors
    /// If the file of trusted certificates cannot be read.
    pub fn of_host(config: &Config) -> std::io::Result<Self> {
        let Config { send, oci, plugin, .. } = config;
        Ok(Self {
            policy: AddressPolicy {
                allow_networks: [&send.allow_networks[..], &oci.allow_networks].concat(),
                ..AddressPolicy::of(send)
            },
            plain_http: oci.plain_http,
            trusted_certificates: send.trusted_certificates.as_ref().map(std::fs::read).transpose()?,
            component_bytes_max: plugin.component_bytes_max,
            timeout: Duration::from_secs(oci.timeout_s),
            credentials: Credentials::none(),
        })
    }

    /// As the command line's user reaches this registry: at any address, with the user's credentials.
    pub fn of_user(reference: &Reference, plain_http: bool, component_bytes_max: usize) -> Self {
        let everywhere = [IpNet::from(Ipv4Net::default()), IpNet::from(Ipv6Net::default())];
        Self {
            policy: AddressPolicy { allow_networks: everywhere.to_vec(), ..AddressPolicy::default() },
            plain_http,
            trusted_certificates: None,
            component_bytes_max,
            timeout: Duration::from_secs(OciConfig::default().timeout_s),
            credentials: Credentials::of_user(reference.registry()),
        }
    }
}

/// Why a plugin was not pushed or pulled.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// The text is not a reference.
    #[error("invalid reference `{text}`: expected {right}")]
    Reference {
        /// The text.
        text: String,
        /// What was expected.
        right: &'static str,
    },
    /// The registry does not have it.
    #[error("there is no `{0}` in that registry")]
    NotFound(Reference),
    /// The registry requires credentials, or other ones.
    #[error("the registry denies access to `{0}`: it requires credentials, or other ones")]
    Denied(Reference),
    /// It is not a plugin, or has another layout.
    #[error("`{reference}` is not a plugin: {why}")]
    NotAPlugin {
        /// The reference.
        reference: Reference,
        /// What is wrong with it.
        why: String,
    },
    /// It is larger than a component may be.
    #[error("`{reference}` is too large: {why}")]
    TooLarge {
        /// The reference.
        reference: Reference,
        /// By how much.
        why: String,
    },
    /// The content does not match its digest or size.
    #[error("`{reference}` was tampered with or damaged: {why}")]
    Tampered {
        /// The reference.
        reference: Reference,
        /// What does not fit.
        why: String,
    },
    /// The address of the registry, or one that it redirects to, is not allowed.
    #[error("the registry is out of bounds: {0}")]
    OutOfBounds(String),
    /// The registry cannot be reached, or failed.
    #[error("the registry failed: {0}")]
    Registry(String),
}

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its reference, by tag and digest.
    pub reference: Reference,
    /// The manifest's digest, which a reference contains.
    pub manifest: Digest,
    /// The component's digest, by which the host identifies it.
    pub component: Digest,
}

/// What was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Its reference, by the manifest's digest alone: it always pulls the same bytes.
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
/// If the reference has no tag, or the registry does not accept the plugin.
pub async fn push(
    registries: &Registries,
    reference: &Reference,
    component: Bytes,
    info: &ArtifactInfo<'_>,
) -> Result<Pushed, OciError> {
    if reference.tag().is_none() || reference.digest().is_some() {
        return Err(reference.wrong("a reference that ends in a tag, such as :1.4.0"));
    }
    let artifact = artifact::Artifact::new(&component, info)
        .map_err(|why| OciError::NotAPlugin { reference: reference.clone(), why })?;
    let manifest = Digest::of(&artifact.manifest);
    in_time(registries, async {
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
/// If it does not exist, is not a plugin, is too large, does not match its digests, or is at an address that is not
/// allowed.
pub async fn pull(registries: &Registries, reference: &Reference) -> Result<Pulled, OciError> {
    in_time(registries, pull_unlimited(registries, reference)).await
}

/// Limits the time of a whole push or pull; each step has its own limit.
async fn in_time<T>(registries: &Registries, work: impl Future<Output = Result<T, OciError>>) -> Result<T, OciError> {
    let timeout = registries.timeout;
    let too_slow = |_| Err(OciError::Registry(format!("it takes more than {} s", timeout.as_secs())));
    tokio::time::timeout(timeout, work).await.unwrap_or_else(too_slow)
}

async fn pull_unlimited(registries: &Registries, reference: &Reference) -> Result<Pulled, OciError> {
    let session = Session::open(registries, reference).await?;
    let bytes = session.manifest().await?;
    let manifest = Digest::of(&bytes);
    if let Some(asked) = reference.digest().filter(|asked| *asked != manifest) {
        let why = format!("the manifest's digest is {manifest}: expected {asked}");
        return Err(OciError::Tampered { reference: reference.clone(), why });
    }
    let not_a_plugin = |why| OciError::NotAPlugin { reference: reference.clone(), why };
    let layer = artifact::read(&bytes).map_err(not_a_plugin)?;
    let component = blob(&session, registries, reference, &layer).await?;
    let pinned = reference.with_digest(manifest).without_tag();
    Ok(Pulled { reference: pinned, manifest, component, digest: layer.digest, signature: layer.signature })
}

/// Pulls the layer's bytes, and checks their number, the limit and the digest.
async fn blob(
    session: &Session,
    registries: &Registries,
    reference: &Reference,
    layer: &artifact::Layer,
) -> Result<Bytes, OciError> {
    let max = registries.component_bytes_max;
    if layer.size > max as u64 {
        let why = format!("its component has {} bytes: at most {max} are allowed", layer.size);
        return Err(OciError::TooLarge { reference: reference.clone(), why });
    }
    let tampered = |why: String| OciError::Tampered { reference: reference.clone(), why };
    let (announced, mut stream) = session.blob(layer.digest).await?;
    if let Some(announced) = announced.filter(|announced| *announced != layer.size) {
        return Err(tampered(format!("the manifest states {} bytes, and the registry {announced}", layer.size)));
    }
    // Announced bytes may never come: memory is allocated as they do.
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| session.broken(&error))?;
        if (bytes.len() + chunk.len()) as u64 > layer.size {
            return Err(tampered(format!("the component continues after its {} bytes", layer.size)));
        }
        bytes.extend_from_slice(&chunk);
    }
    let bytes = bytes.freeze();
    match Digest::of(&bytes) {
        digest if digest == layer.digest => Ok(bytes),
        digest => Err(tampered(format!("the component's digest is {digest}: expected {}", layer.digest))),
    }
}
