//! Send: sends one request and returns one bounded response or one fault.
//!
//! One client serves all receivers. It pools connections, so many in all and for each receiver, and speaks HTTP/1.1 and,
//! where TLS negotiates it, HTTP/2. It follows no redirects, uses no proxy, keeps no cookies and decodes no bodies: what is
//! recorded is what was received.
//!
//! The receiver is not trusted. The timeout covers everything from name resolution to the last byte of the response, so
//! a response whose headers arrived and whose body hangs is a [timeout](SendFaultCode::Timeout), not a success. No more
//! of a body is read than is kept; a connection with more data on it is closed. What a connection receives for one response
//! is bounded, whatever it is. [`address`] defines where the host does not send to, [`resolve`] looks names up.
//!
//! What this host lacks is not the receiver's fault: a connection that fails for want of descriptors, memory or ports is an
//! error, and no attempt.
//!
//! The client does not rely on the lengths that a receiver declares, nor on the URL still being harmless because it was
//! when the subscription was saved.

pub mod address;
mod connect;
mod fault;
pub mod resolve;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_LENGTH, Entry};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::time::Instant;

use self::address::AddressPolicy;
use self::connect::{Allowance, Dialer, Http};
use self::resolve::{CALLER, Caller, FilteredResolver, LookupError, Resolver};
use crate::config::SendConfig;
#[cfg(doc)]
use hookmill_model::SendFaultCode;
use hookmill_model::{Answer, Request, SendFault, SpaceId};

/// A host error.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// TLS could not be set up; usually, the system has no CA certificates.
    #[error("could not create the HTTP client; are CA certificates installed?")]
    Client(#[source] rustls::Error),
    /// The file of trusted certificates cannot be read.
    #[error("could not read the trusted certificates in {}", file.display())]
    Certificates {
        /// The file.
        file: std::path::PathBuf,
        /// The cause.
        source: rustls::pki_types::pem::Error,
    },
    /// This host lacks descriptors, memory or ports for another connection, or a turn to look up the name.
    #[error("this host could not connect")]
    Host(#[source] legacy::Error),
    /// The name was not looked up within the timeout, since all turns were taken.
    #[error("no turn to look up the name within {} s", .0.as_secs_f64())]
    NoTurn(Duration),
    /// This host cannot ask for its own addresses, for the same reasons.
    #[error("this host could not check the address")]
    Address(#[source] std::io::Error),
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
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: RwLock<Pool>,
    resolver: FilteredResolver,
    tls: Arc<rustls::ClientConfig>,
    /// Requests that are being sent.
    in_flight: AtomicUsize,
    config: SendConfig,
}

/// The connections of one time. Idle ones end with it.
#[derive(Clone, Debug)]
struct Pool {
    http: Http,
    open: Arc<AtomicUsize>,
}

impl Pool {
    fn new(resolver: FilteredResolver, tls: &Arc<rustls::ClientConfig>, config: &SendConfig) -> Self {
        let open = Arc::default();
        Self { http: connect::client(Dialer::new(resolver, config, Arc::clone(&open)), tls, config), open }
    }
}

impl Client {
    /// Creates the client.
    ///
    /// # Errors
    /// If TLS cannot be set up, or the configured certificates cannot be read.
    pub fn new(config: &SendConfig) -> Result<Self, SendError> {
        let Some(file) = &config.trusted_certificates else { return Self::with_roots(config, Vec::new()) };
        let roots = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
        Self::with_roots(config, roots.map_err(|source| SendError::Certificates { file: file.clone(), source })?)
    }

    /// Creates a client that trusts these root certificates in addition to the system's.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn with_roots(config: &SendConfig, roots: Vec<CertificateDer<'static>>) -> Result<Self, SendError> {
        Self::with_resolver(config, roots, Resolver::new(config))
    }

    /// Creates a client that also has its own resolver.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn with_resolver(
        config: &SendConfig,
        roots: Vec<CertificateDer<'static>>,
        resolver: Resolver,
    ) -> Result<Self, SendError> {
        let tls = Arc::new(tls(roots).map_err(SendError::Client)?);
        let resolver = FilteredResolver { resolver, policy: Arc::new(AddressPolicy::of(config)) };
        let pool = RwLock::new(Pool::new(resolver.clone(), &tls, config));
        Ok(Self(Arc::new(Inner { pool, resolver, tls, in_flight: AtomicUsize::new(0), config: config.clone() })))
    }

    /// The policy that says where it connects to.
    pub fn policy(&self) -> &AddressPolicy {
        &self.0.resolver.policy
    }

    /// Looks up a name for a space.
    ///
    /// # Errors
    /// If it has no address, or there was no answer in time.
    pub async fn lookup(&self, space: &SpaceId, name: &str) -> Result<Arc<[std::net::IpAddr]>, LookupError> {
        self.0.resolver.resolver.lookup(space, name).await
    }

    /// Sends `request` of a space with the signature's headers and reads the response, all within `timeout`. The receiver's
    /// and the network's faults are in the result.
    ///
    /// # Errors
    /// If this host cannot open a connection. Nothing was sent then.
    pub async fn send(
        &self,
        space: &SpaceId,
        request: &Request,
        signature: &HeaderMap,
        timeout: Duration,
    ) -> Result<Sent, SendError> {
        let start = Instant::now();
        let mut status = None;
        let caller = Caller { space: space.clone(), waits: Arc::default() };
        let waits = Arc::clone(&caller.waits);
        let exchange = CALLER.scope(caller, self.exchange(request, signature, &mut status));
        let counted = Counted::new(&self.0.in_flight);
        let result = match tokio::time::timeout_at(start + timeout, exchange).await {
            Ok(result) => result?,
            Err(_) if waits.load(Ordering::Relaxed) => return Err(SendError::NoTurn(timeout)),
            Err(_) => Err(fault::timeout(timeout, status)),
        };
        drop(counted);
        self.bound_idle();
        Ok(Sent { result, took_us: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX) })
    }

    /// Stores the status as soon as it is known, for a caller that drops this future.
    async fn exchange(
        &self,
        request: &Request,
        signature: &HeaderMap,
        status: &mut Option<u16>,
    ) -> Result<Result<Answer, SendFault>, SendError> {
        if let Err(refused) = self.policy().check(&request.url).map_err(SendError::Address)? {
            return Ok(Err(fault::refused(&refused)));
        }
        let first = match outgoing(request, signature) {
            Ok(first) => first,
            Err(error) => return Ok(Err(fault::unwritable(&error))),
        };
        let begin = |request| self.0.pool.read().unwrap_or_else(PoisonError::into_inner).http.request(request);
        let mut result = begin(first).await;
        if result.as_ref().is_err_and(fault::is_unprocessed)
            && let Ok(again) = outgoing(request, signature)
        {
            result = begin(again).await;
        }
        let mut response = match result {
            Ok(response) => response,
            Err(error) => return fault::before_answer(error).map(Err),
        };
        let code = response.status().as_u16();
        *status = Some(code);
        let headers = first_headers(response.headers(), self.0.config.answer_headers_bytes_max);
        let (body, truncated) = match first_bytes(response.body_mut(), self.0.config.answer_body_bytes_max).await {
            Ok(read) => read,
            Err(error) => return Ok(Err(fault::within_answer(&error, code))),
        };
        if let Some(allowance) = response.extensions().get::<Allowance>() {
            allowance.renew(self.0.config.answer_received_bytes_max);
        }
        Ok(Ok(Answer { status: code, headers, body, truncated }))
    }

    /// Closes all idle connections once there are too many. The client has no way to close the oldest ones; whoever is
    /// sent to often is connected to again at once.
    fn bound_idle(&self) {
        let Inner { pool, resolver, tls, in_flight, config } = &*self.0;
        let busy = in_flight.load(Ordering::Relaxed);
        let too_many = |pool: &Pool| pool.open.load(Ordering::Relaxed) > config.idle_connections_max + busy;
        if too_many(&pool.read().unwrap_or_else(PoisonError::into_inner)) {
            let mut pool = pool.write().unwrap_or_else(PoisonError::into_inner);
            if too_many(&pool) {
                *pool = Pool::new(resolver.clone(), tls, config);
            }
        }
    }
}

/// One more in a count, as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// TLS that trusts the machine's authorities and these.
fn tls(roots: Vec<CertificateDer<'static>>) -> Result<rustls::ClientConfig, rustls::Error> {
    install_crypto();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider))?;
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        // The machine's own verifier, not a lenient one.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

fn outgoing(request: &Request, signature: &HeaderMap) -> Result<http::Request<Full<Bytes>>, http::Error> {
    let mut outgoing = http::Request::builder().method(request.method.clone()).uri(request.url.as_str());
    if let Some(headers) = outgoing.headers_mut() {
        *headers = request.headers.clone();
        headers.extend(signature.clone());
        if let Entry::Vacant(accept) = headers.entry(ACCEPT) {
            accept.insert(HeaderValue::from_static("*/*"));
        }
    }
    // No body at all rather than an empty one: some servers reject a GET with a length.
    if [http::Method::POST, http::Method::PUT, http::Method::PATCH].contains(&request.method) {
        // Set even if it is 0, which the client would omit: some servers respond 411 without it.
        outgoing.header(CONTENT_LENGTH, request.body.len()).body(Full::new(request.body.clone()))
    } else {
        outgoing.body(Full::default())
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
async fn first_bytes(incoming: &mut Incoming, bytes_max: usize) -> hyper::Result<(Bytes, bool)> {
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(chunk) = frame?.into_data() else { continue };
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
