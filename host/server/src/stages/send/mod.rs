//! Send: one request goes out, one bounded answer or one fault comes back.
//!
//! There is one client for all receivers. It keeps connections, speaks HTTP/1.1 and, where TLS agrees on it, HTTP/2.
//! It follows no redirect, asks no proxy, keeps no cookie and decodes no body: what is recorded is what came.
//!
//! The receiver is not trusted. The timeout covers everything from the name's resolution to the answer's last byte, so
//! an answer whose headers came and whose body hangs is a [timeout](SendFaultCode::Timeout) and no success. Of a body
//! no more is read than is kept; a connection with more on it is closed. [`address`] says where nothing is sent to.
//!
//! It does not rely on a receiver's honesty about lengths, nor on the URL being harmless because it was so when the
//! subscription was saved.

pub mod address;
mod fault;

use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use ipnet::IpNet;
use tokio::time::Instant;

use crate::config::SendConfig;
use hookmill_model::{Answer, Request, SendFault, SendFaultCode};

/// Ours to mend: the client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// TLS could not be set up: most often, the machine has no CA certificates.
    #[error("the HTTP client could not be made; are CA certificates installed?")]
    Client(#[source] reqwest::Error),
    /// The file of trusted certificates cannot be read.
    #[error("the trusted certificates in {} cannot be read", file.display())]
    Certificates {
        /// Which file.
        file: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The answer, or why there is none.
    pub result: Result<Answer, SendFault>,
    /// How long it took, until the answer was read.
    pub took_us: u64,
}

/// The one HTTP client. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    allow_networks: Arc<[IpNet]>,
    answer_body_bytes_max: usize,
    answer_headers_bytes_max: usize,
}

impl Client {
    /// Makes the client.
    ///
    /// # Errors
    /// If TLS cannot be set up on this machine.
    pub fn new(config: &SendConfig) -> Result<Self, SendError> {
        let Some(file) = &config.trusted_certificates else { return Self::with_roots(config, Vec::new()) };
        let pem = std::fs::read(file).map_err(|source| SendError::Certificates { file: file.clone(), source })?;
        Self::with_roots(config, reqwest::Certificate::from_pem_bundle(&pem).map_err(SendError::Client)?)
    }

    /// Makes a client that trusts these root certificates beside the machine's own.
    ///
    /// # Errors
    /// If TLS cannot be set up on this machine.
    pub fn with_roots(config: &SendConfig, roots: Vec<reqwest::Certificate>) -> Result<Self, SendError> {
        install_crypto();
        let allow_networks: Arc<[IpNet]> = config.allow_networks.clone().into();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(address::Resolver(Arc::clone(&allow_networks)))
            .pool_max_idle_per_host(config.idle_connections_per_host_max)
            .pool_idle_timeout(Duration::from_secs(config.idle_connection_s))
            .tls_certs_merge(roots)
            .build()
            .map_err(SendError::Client)?;
        Ok(Self {
            http,
            allow_networks,
            answer_body_bytes_max: config.answer_body_bytes_max,
            answer_headers_bytes_max: config.answer_headers_bytes_max,
        })
    }

    /// Sends `request` with the signature's headers and reads its answer, all within `timeout`.
    ///
    /// Whatever goes wrong is the receiver's or the network's, so there is always something to record.
    pub async fn send(&self, request: &Request, signature: &HeaderMap, timeout: Duration) -> Sent {
        let start = Instant::now();
        let mut status = None;
        let exchange = self.exchange(request, signature, &mut status);
        let result = match tokio::time::timeout_at(start + timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(fault::timeout(timeout, status)),
        };
        Sent { result, took_us: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX) }
    }

    /// Notes the status as soon as it is known, for whoever drops this future.
    async fn exchange(
        &self,
        request: &Request,
        signature: &HeaderMap,
        status: &mut Option<u16>,
    ) -> Result<Answer, SendFault> {
        address::check_literal(&request.url, &self.allow_networks)
            .map_err(|refused| SendFault { code: SendFaultCode::AddressRefused, message: refused.to_string() })?;
        let outgoing = self.outgoing(request, signature);
        let mut response = outgoing.send().await.map_err(|error| fault::before_answer(&error))?;
        *status = Some(response.status().as_u16());
        let headers = first_headers(response.headers(), self.answer_headers_bytes_max);
        let (body, truncated) = first_bytes(&mut response, self.answer_body_bytes_max)
            .await
            .map_err(|error| fault::within_answer(&error, response.status().as_u16()))?;
        Ok(Answer { status: response.status().as_u16(), headers, body, truncated })
    }

    fn outgoing(&self, request: &Request, signature: &HeaderMap) -> reqwest::RequestBuilder {
        let mut headers = request.headers.clone();
        headers.extend(signature.clone());
        let outgoing = self.http.request(request.method.clone(), request.url.clone()).headers(headers);
        // No body at all, not an empty one: some servers refuse a GET that tells a length.
        if [http::Method::POST, http::Method::PUT, http::Method::PATCH].contains(&request.method) {
            // Told even if it is 0, which the client would leave out: some servers answer 411 without it.
            outgoing.header(CONTENT_LENGTH, request.body.len()).body(request.body.clone())
        } else {
            outgoing
        }
    }
}

/// Headers in order, as many as have room.
fn first_headers(headers: &HeaderMap, bytes_max: usize) -> Vec<(String, String)> {
    let mut bytes_left = bytes_max;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .take_while(|(name, value)| {
            let left = bytes_left.checked_sub(name.len() + value.len());
            bytes_left = left.unwrap_or(0);
            left.is_some()
        })
        .collect()
}

/// The body's first bytes, and whether there was more.
async fn first_bytes(response: &mut reqwest::Response, bytes_max: usize) -> reqwest::Result<(Bytes, bool)> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        let room = bytes_max - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok((body.freeze(), true));
        }
    }
    Ok((body.freeze(), false))
}

/// Names ring as the process's cryptography for TLS; once, and only if nobody did so before.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An Err means that another part of the process chose a provider first, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}
