//! One push or pull: `oci-client`, behind the gate, its errors in our words.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use http::HeaderValue;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;

use super::artifact::{INDEX, MANIFEST};
use super::gate::{Gate, Said};
use super::{OciError, Reference, Registries};
use crate::stages::send::install_crypto;
use hookmill_model::Digest;

/// Until a registry is connected to.
const CONNECT: Duration = Duration::from_secs(10);

/// Without a byte.
const SILENCE: Duration = Duration::from_secs(30);

/// A manifest: ours have less than 2 KB, and nobody's description needs more.
const MANIFEST_BYTES_MAX: usize = 256 << 10;

/// What the registry may send beside the component: manifests, tokens, TLS.
const BESIDE_BYTES: u64 = 1 << 20;

/// What is left of a registry's words in an error.
const WORDS_MAX: usize = 500;

/// A client with one thing to do.
pub(super) struct Session {
    client: oci_client::Client,
    reference: Reference,
    gate: Gate,
}

impl Session {
    pub(super) async fn open(registries: &Registries, reference: &Reference) -> Result<Self, OciError> {
        install_crypto();
        let failed = |error: &dyn Error| OciError::Registry(words(error));
        let bytes_max = registries.component_bytes_max as u64 + BESIDE_BYTES;
        let gate = Gate::open(registries.allow_networks.clone(), registries.plain_http, bytes_max)
            .await
            .map_err(|error| failed(&error))?;
        let plain = registries.plain_http || is_loopback(reference.registry());
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            extra_root_certificates: certificates(registries.trusted_certificates.as_deref()),
            platform_resolver: None,
            read_timeout: Some(SILENCE),
            connect_timeout: Some(CONNECT),
            user_agent: concat!("hookmill/", env!("CARGO_PKG_VERSION")),
            https_proxy: Some(gate.url()),
            http_proxy: Some(gate.url()),
            ..ClientConfig::default()
        };
        // Not `new`, which falls back to a client that knows no gate.
        let client = oci_client::Client::try_from(config).map_err(|error| failed(&error))?;
        client.store_auth_if_needed(reference.registry(), &registries.credentials.as_auth()).await;
        Ok(Self { client, reference: reference.clone(), gate })
    }

    pub(super) async fn push_blob(&self, bytes: Bytes, digest: Digest) -> Result<(), OciError> {
        let pushed = self.client.push_blob(self.reference.inner(), bytes, &digest.to_string()).await;
        pushed.map(drop).map_err(|error| self.failed(&error))
    }

    pub(super) async fn push_manifest(&self, bytes: Bytes) -> Result<(), OciError> {
        let media_type = HeaderValue::from_static(MANIFEST);
        let pushed = self.client.push_manifest_raw(self.reference.inner(), bytes, media_type).await;
        pushed.map(drop).map_err(|error| self.failed(&error))
    }

    /// The manifest's bytes.
    pub(super) async fn manifest(&self) -> Result<Bytes, OciError> {
        // The session knows who asks already: what is given here is not used.
        let auth = RegistryAuth::Anonymous;
        let pulled = self.client.pull_manifest_raw(self.reference.inner(), &auth, &[MANIFEST, INDEX]).await;
        let (bytes, _) = pulled.map_err(|error| self.failed(&error))?;
        if bytes.len() > MANIFEST_BYTES_MAX {
            let why = format!("its manifest has {} bytes, and {MANIFEST_BYTES_MAX} are allowed", bytes.len());
            return Err(OciError::TooLarge { reference: self.reference.clone(), why });
        }
        Ok(bytes)
    }

    /// How many bytes of a blob the registry announces, and the blob as it comes.
    pub(super) async fn blob(
        &self,
        digest: Digest,
    ) -> Result<(Option<u64>, BoxStream<'static, std::io::Result<Bytes>>), OciError> {
        let digest = digest.to_string();
        let pulled = self.client.pull_blob_stream(self.reference.inner(), digest.as_str()).await;
        pulled.map(|blob| (blob.content_length, blob.stream)).map_err(|error| self.failed(&error))
    }

    /// Why a blob did not come to its end.
    pub(super) fn broken(&self, error: &std::io::Error) -> OciError {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<DigestError>()) {
            Some(digest) => self.tampered(digest),
            None => self.said().unwrap_or_else(|| OciError::Registry(words(error))),
        }
    }

    fn failed(&self, error: &OciDistributionError) -> OciError {
        if let Some(said) = self.said() {
            return said;
        }
        let (not_found, denied) =
            (|| OciError::NotFound(self.reference.clone()), || OciError::Denied(self.reference.clone()));
        match error {
            OciDistributionError::DigestError(digest) => self.tampered(digest),
            OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => denied(),
            OciDistributionError::ServerError { code: 401 | 403, .. } => denied(),
            OciDistributionError::ServerError { code: 404, .. } => not_found(),
            OciDistributionError::RegistryError { envelope, .. } => {
                match envelope.errors.first().map(|one| &one.code) {
                    Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => denied(),
                    Some(
                        OciErrorCode::ManifestUnknown
                        | OciErrorCode::NameUnknown
                        | OciErrorCode::BlobUnknown
                        | OciErrorCode::NotFound,
                    ) => not_found(),
                    _ => OciError::Registry(words(error)),
                }
            }
            _ => OciError::Registry(words(error)),
        }
    }

    fn tampered(&self, error: &DigestError) -> OciError {
        OciError::Tampered { reference: self.reference.clone(), why: words(error) }
    }

    /// What the gate has to say, which is more than the client noticed.
    fn said(&self) -> Option<OciError> {
        self.gate.said().map(|said| match said {
            Said::OutOfBounds(why) => OciError::OutOfBounds(why),
            Said::Unreachable(why) => OciError::Registry(why),
            Said::TooMuch(bytes) => OciError::TooLarge {
                reference: self.reference.clone(),
                why: format!("the registry sent more than {bytes} bytes"),
            },
        })
    }
}

fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// The certificates of a PEM file, one by one.
fn certificates(pem: Option<&[u8]>) -> Vec<Certificate> {
    let text = String::from_utf8_lossy(pem.unwrap_or_default());
    let each =
        text.split_inclusive("-----END CERTIFICATE-----").filter(|one| one.contains("-----BEGIN CERTIFICATE-----"));
    each.map(|one| Certificate { encoding: CertificateEncoding::Pem, data: one.as_bytes().to_vec() }).collect()
}

/// An error with its causes. A registry may have written parts of it.
fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = error.source();
    }
    text.chars().take(WORDS_MAX).flat_map(char::escape_debug).collect()
}
