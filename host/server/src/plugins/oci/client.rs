//! One push or pull: `oci-client` behind the gate, with its errors mapped to [`OciError`].

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use hookmill_model::Digest;
use http::HeaderValue;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;

use super::artifact::{INDEX, MANIFEST};
use super::gate::{Gate, Stopped};
use super::{OciError, Reference, Registries};
use crate::stages::send::install_crypto;

/// Time to connect to a registry.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time without a byte.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Size of a manifest: those that this host writes have less than 2 KB, and no description needs more.
const MANIFEST_BYTES_MAX: usize = 256 << 10;

/// Bytes that the registry may send in addition to the component: manifests, tokens, TLS.
const OVERHEAD_BYTES: u64 = 1 << 20;

/// Characters of a registry's message that an error keeps.
const MESSAGE_CHARS_MAX: usize = 500;

/// A client for one push or pull.
pub(super) struct Session {
    client: oci_client::Client,
    reference: Reference,
    gate: Gate,
}

impl Session {
    pub(super) async fn open(registries: &Registries, reference: &Reference) -> Result<Self, OciError> {
        install_crypto();
        let failed = |error: &dyn Error| OciError::Registry(message(error));
        let bytes_max = registries.component_bytes_max as u64 + OVERHEAD_BYTES;
        let gate = Gate::open(registries.policy.clone(), registries.plain_http, bytes_max)
            .await
            .map_err(|error| failed(&error))?;
        let plain = registries.plain_http || is_loopback(reference.registry());
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            extra_root_certificates: certificates(registries.trusted_certificates.as_deref()),
            platform_resolver: None,
            read_timeout: Some(READ_TIMEOUT),
            connect_timeout: Some(CONNECT_TIMEOUT),
            user_agent: concat!("hookmill/", env!("CARGO_PKG_VERSION")),
            https_proxy: Some(gate.url()),
            http_proxy: Some(gate.url()),
            ..ClientConfig::default()
        };
        // Not `new`, which falls back to a client without the gate.
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

    /// Pulls the manifest's bytes.
    pub(super) async fn manifest(&self) -> Result<Bytes, OciError> {
        // The session has its credentials already: this argument is not used.
        let auth = RegistryAuth::Anonymous;
        let pulled = self.client.pull_manifest_raw(self.reference.inner(), &auth, &[MANIFEST, INDEX]).await;
        let (bytes, _) = pulled.map_err(|error| self.failed(&error))?;
        if bytes.len() > MANIFEST_BYTES_MAX {
            let why = format!("its manifest has {} bytes: at most {MANIFEST_BYTES_MAX} are allowed", bytes.len());
            return Err(OciError::TooLarge { reference: self.reference.clone(), why });
        }
        Ok(bytes)
    }

    /// Pulls a blob: the number of bytes that the registry announces, and a stream of them.
    pub(super) async fn blob(
        &self,
        digest: Digest,
    ) -> Result<(Option<u64>, BoxStream<'static, std::io::Result<Bytes>>), OciError> {
        let digest = digest.to_string();
        let pulled = self.client.pull_blob_stream(self.reference.inner(), digest.as_str()).await;
        pulled.map(|blob| (blob.content_length, blob.stream)).map_err(|error| self.failed(&error))
    }

    /// The error of a blob that was cut off.
    pub(super) fn broken(&self, error: &std::io::Error) -> OciError {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<DigestError>()) {
            Some(digest) => self.tampered(digest),
            None => self.stopped().unwrap_or_else(|| OciError::Registry(message(error))),
        }
    }

    fn failed(&self, error: &OciDistributionError) -> OciError {
        if let Some(stopped) = self.stopped() {
            return stopped;
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
                    _ => OciError::Registry(message(error)),
                }
            }
            _ => OciError::Registry(message(error)),
        }
    }

    fn tampered(&self, error: &DigestError) -> OciError {
        OciError::Tampered { reference: self.reference.clone(), why: message(error) }
    }

    /// The gate's reason, which is more precise than the client's error.
    fn stopped(&self) -> Option<OciError> {
        self.gate.stopped().map(|reason| match reason {
            Stopped::OutOfBounds(why) => OciError::OutOfBounds(why),
            Stopped::Unreachable(why) => OciError::Registry(why),
            Stopped::TooMuch(bytes) => OciError::TooLarge {
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

/// Splits a PEM file into its certificates.
fn certificates(pem: Option<&[u8]>) -> Vec<Certificate> {
    let text = String::from_utf8_lossy(pem.unwrap_or_default());
    let each =
        text.split_inclusive("-----END CERTIFICATE-----").filter(|one| one.contains("-----BEGIN CERTIFICATE-----"));
    each.map(|one| Certificate { encoding: CertificateEncoding::Pem, data: one.as_bytes().to_vec() }).collect()
}

/// An error with its causes as one text, which is escaped and cut: a registry may have written parts of it. That is why an
/// [`OciError`] holds it as text and not as its source.
fn message(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = error.source();
    }
    text.chars().take(MESSAGE_CHARS_MAX).flat_map(char::escape_debug).collect()
}
