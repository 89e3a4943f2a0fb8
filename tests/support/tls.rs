//! TLS for receivers, with certificates that they signed themselves.

use std::sync::Arc;

use rcgen::{Certificate, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

/// What a receiver with this certificate needs to speak `alpn` over TLS.
pub fn server_config(certificate: &Certificate, key: &KeyPair, alpn: &[&[u8]]) -> ServerConfig {
    let key = key.serialize_der().try_into().unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config
}
