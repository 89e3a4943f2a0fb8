//! Send: sends one request and returns one bounded response or one fault.
//!
//! One client serves all receivers. It pools connections and speaks HTTP/1.1 and, where TLS negotiates it, HTTP/2. It
//! follows no redirects, uses no proxy, keeps no cookies and decodes no bodies: what is recorded is what was received.
//!
//! The receiver is not trusted. The timeout covers everything from name resolution to the last byte of the response, so
//! a response whose headers arrived and whose body hangs is a [timeout](SendFaultCode::Timeout), not a success. No more
//! of a body is read than is kept; a connection with more data on it is closed. [`address`] defines where the host does
//! not send to.
//!
//! The client does not rely on the lengths that a receiver declares, nor on the URL still being harmless because it was
//! when the subscription was saved.

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

/// A host error: the HTTP client could not be created.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// TLS could not be set up; usually, the system has no CA certificates.
    #[error("could not create the HTTP client; are CA certificates installed?")]
    Client(#[source] reqwest::Error),
    /// The file of trusted certificates cannot be read.
    #[error("could not read the trusted certificates in {}", file.display())]
    Certificates {
        /// The file.
        file: std::path::PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// The result of sending a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The response, or the reason there is none.
    pub result: Result<Answer, SendFault>,
    /// The time until the response was read.
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
    /// Creates the client.
    ///
    /// # Errors
    /// If TLS cannot be set up, or the configured certificates cannot be read.
    pub fn new(config: &SendConfig) -> Result<Self, SendError> {
        let Some(file) = &config.trusted_certificates else { return Self::with_roots(config, Vec::new()) };
        let pem = std::fs::read(file).map_err(|source| SendError::Certificates { file: file.clone(), source })?;
        Self::with_roots(config, reqwest::Certificate::from_pem_bundle(&pem).map_err(SendError::Client)?)
    }

    /// Creates a client that trusts these root certificates in addition to the system's.
    ///
    /// # Errors
    /// If TLS cannot be set up.
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

    /// Sends `request` with the signature's headers and reads the response, all within `timeout`.
    ///
    /// Any fault is the receiver's or the network's, so there is always a result to record.
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

    /// Stores the status as soon as it is known, for a caller that drops this future.
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
        // No body at all rather than an empty one: some servers reject a GET with a length.
        if [http::Method::POST, http::Method::PUT, http::Method::PATCH].contains(&request.method) {
            // Set even if it is 0, which the client would omit: some servers respond 411 without it.
            outgoing.header(CONTENT_LENGTH, request.body.len()).body(request.body.clone())
        } else {
            outgoing
        }
    }
}

/// Returns the headers in order, as many as fit.
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

/// Returns the body's first bytes, and whether there were more.
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

/// Installs ring as the process's default TLS provider, unless one is installed already.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that another part of the process installed a provider first, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}
