//! Name resolution: bounded lookups with the system's resolver, which reads `/etc/hosts` and whatever else the machine
//! is set up with.
//!
//! The system's resolver blocks its thread until it has an answer, for half a minute where a name server does not
//! respond, and cannot be stopped. So a lookup has a thread of its own, outside the runtime's, and there are only so many
//! at once: of all, and of one space, whose names may all hang. Who waits for its turn or for an answer waits no longer
//! than the timeout. Requests for one name share one lookup, but only once it runs: a name that waits for the turns of
//! one space does not wait for another's.
//!
//! Answers are kept for a short time. The system's resolver does not tell how long one is valid.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use hookmill_model::SpaceId;
use http::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use super::address::{AddressPolicy, AddressRefused};
use super::fault;
use crate::config::SendConfig;

/// Names whose answers are kept. A name has at most 253 characters, so this is some 2 MB.
const NAMES_MAX: usize = 4_096;

/// The longest time that a failure is kept: who has just created a name does not want to wait.
const FAILURE_KEPT_MAX: Duration = Duration::from_secs(5);

/// The stack of a lookup's thread. The C library's resolver needs some 100 KB.
const STACK_BYTES: usize = 512 << 10;

/// On whose behalf a connection is made.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) space: SpaceId,
    /// Whether it waits for a turn that others have, so that what comes of it is not the receiver's fault.
    pub(super) waits: Arc<AtomicBool>,
}

tokio::task_local! {
    /// Who sends a request. The client passes no more than its URL on to the resolver.
    pub(super) static CALLER: Caller;
}

/// A name was not resolved.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LookupError {
    /// The resolver says no.
    #[error("{0}")]
    Failed(Arc<io::Error>),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// The space's other lookups did not end in time.
    #[error("the space's other lookups took more than {} s", .0.as_secs())]
    SpaceBusy(Duration),
    /// A host error: there was no turn for the lookup in time.
    #[error("no turn for a lookup within {} s: all {turns} are taken, so a name server may be down", .within.as_secs())]
    NoTurn {
        /// How long it waited.
        within: Duration,
        /// Lookups at once.
        turns: usize,
    },
    /// A host error: the lookup could not begin.
    #[error("the host cannot look up names")]
    Host(#[source] Arc<io::Error>),
}

impl LookupError {
    /// Whether the host failed, not the name.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::NoTurn { .. } | Self::Host(_))
    }
}

/// The addresses of a name.
type Addresses = Arc<[IpAddr]>;

/// What looks a name up, on a thread where it may block.
pub type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// The resolver. Clones share their turns and what is kept.
#[derive(Clone)]
pub struct Resolver(Arc<Inner>);

struct Inner {
    lookup: Box<Lookup>,
    timeout: Duration,
    kept: Duration,
    turns_max: usize,
    turns_of_space_max: usize,
    turns: Arc<Semaphore>,
    spaces: Mutex<HashMap<SpaceId, Arc<Semaphore>>>,
    names: Mutex<HashMap<String, watch::Receiver<Option<Answered>>>>,
}

/// A lookup's answer.
#[derive(Clone)]
struct Answered {
    result: Result<Addresses, LookupError>,
    until: Instant,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("turns", &self.0.turns).finish_non_exhaustive()
    }
}

impl Resolver {
    /// Creates a resolver that asks the system.
    pub fn new(config: &SendConfig) -> Self {
        Self::with_lookup(config, |name| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }

    /// Creates a resolver that asks `lookup`.
    pub fn with_lookup(
        config: &SendConfig,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            lookup: Box::new(lookup),
            timeout: Duration::from_secs(config.lookup_timeout_s),
            kept: Duration::from_secs(config.lookup_kept_s),
            turns_max: config.lookups_max,
            turns_of_space_max: config.lookups_per_space_max,
            turns: Arc::new(Semaphore::new(config.lookups_max)),
            spaces: Mutex::default(),
            names: Mutex::default(),
        }))
    }

    /// Returns the addresses of a name, for a space.
    ///
    /// # Errors
    /// If there are none, or there was no answer in time.
    pub async fn lookup(&self, space: &SpaceId, name: &str) -> Result<Addresses, LookupError> {
        self.lookup_for(&Caller { space: space.clone(), waits: Arc::default() }, name).await
    }

    async fn lookup_for(&self, caller: &Caller, name: &str) -> Result<Addresses, LookupError> {
        let this = &self.0;
        let deadline = Instant::now() + this.timeout;
        let mut answer = match this.known(name) {
            Some(answer) => answer,
            None => {
                let of_space = this.turns_of(&caller.space);
                let of_space = timeout_at(deadline, of_space.acquire_owned()).await;
                let of_space = of_space.map_err(|_| LookupError::SpaceBusy(this.timeout))?;
                caller.waits.store(true, Ordering::Relaxed);
                let of_all = timeout_at(deadline, Arc::clone(&this.turns).acquire_owned()).await;
                caller.waits.store(false, Ordering::Relaxed);
                let no_turn = LookupError::NoTurn { within: this.timeout, turns: this.turns_max };
                let of_all = of_all.map_err(|_| no_turn)?;
                let turns = [of_space, of_all].map(|turn| turn.expect("it is never closed"));
                self.begin(name, turns)?
            }
        };
        let answered = timeout_at(deadline, answer.wait_for(Option::is_some)).await;
        let answered = answered.map_err(|_| LookupError::Slow(this.timeout))?;
        let ended = || LookupError::Host(Arc::new(io::Error::other("the lookup panicked")));
        answered.map_err(|_| ended())?.as_ref().map_or_else(|| Err(ended()), |answered| answered.result.clone())
    }

    /// Begins a lookup, unless one has begun meanwhile. The turns end with its thread.
    fn begin(
        &self,
        name: &str,
        turns: [OwnedSemaphorePermit; 2],
    ) -> Result<watch::Receiver<Option<Answered>>, LookupError> {
        if let Some(answer) = self.0.known(name) {
            return Ok(answer);
        }
        let (tell, answer) = watch::channel(None);
        let (this, owned) = (Arc::clone(&self.0), name.to_owned());
        let thread = thread::Builder::new().name("lookup".to_owned()).stack_size(STACK_BYTES);
        let run = move || {
            tell.send_replace(Some(this.ask(&owned)));
            drop(turns);
        };
        thread.spawn(run).map_err(|error| LookupError::Host(Arc::new(error)))?;
        self.0.keep(name, answer.clone());
        Ok(answer)
    }
}

impl Inner {
    /// The answer that is known or on its way.
    fn known(&self, name: &str) -> Option<watch::Receiver<Option<Answered>>> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(name).filter(|answer| is_current(answer)).cloned()
    }

    fn keep(&self, name: &str, answer: watch::Receiver<Option<Answered>>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES_MAX {
            names.retain(|_, answer| is_current(answer));
        }
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(name.to_owned(), answer);
    }

    fn turns_of(&self, space: &SpaceId) -> Arc<Semaphore> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        // A turn holds its semaphore: what nothing holds is as good as new.
        spaces.retain(|_, turns| Arc::strong_count(turns) > 1);
        Arc::clone(spaces.entry(space.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.turns_of_space_max))))
    }

    fn ask(&self, name: &str) -> Answered {
        let result = match (self.lookup)(name) {
            Ok(addresses) => Ok(addresses.into()),
            // The C library may call it a failure of the name's server if it cannot open a socket.
            Err(error) if fault::is_ours(&error) => Err(LookupError::Host(Arc::new(error))),
            Err(error) => match fault::without_descriptors() {
                Some(error) => Err(LookupError::Host(Arc::new(error))),
                None => Err(LookupError::Failed(Arc::new(error))),
            },
        };
        let kept = match &result {
            Ok(_) => self.kept,
            Err(LookupError::Failed(_)) => self.kept.min(FAILURE_KEPT_MAX),
            Err(_) => Duration::ZERO,
        };
        Answered { result, until: Instant::now() + kept }
    }
}

/// Whether an answer is on its way, or not too old.
fn is_current(answer: &watch::Receiver<Option<Answered>>) -> bool {
    match &*answer.borrow() {
        Some(answered) => answered.until > Instant::now(),
        None => answer.has_changed().is_ok(),
    }
}

/// The resolver, filtered to the addresses that the policy allows, as the HTTP client uses it.
#[derive(Clone, Debug)]
pub(super) struct FilteredResolver {
    pub(super) resolver: Resolver,
    pub(super) policy: Arc<AddressPolicy>,
}

impl FilteredResolver {
    /// Whether all addresses of a URL's host are IPv6 addresses, as far as they are known.
    pub(super) fn has_ipv6_only(&self, uri: &Uri) -> bool {
        let host = uri.host().unwrap_or_default();
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return ip.is_ipv6();
        }
        let known = self.resolver.0.known(host);
        known.is_some_and(|answer| match &*answer.borrow() {
            Some(Answered { result: Ok(addresses), .. }) => addresses.iter().all(IpAddr::is_ipv6),
            _ => false,
        })
    }

    async fn resolve(self, caller: Caller, name: Name) -> Result<std::vec::IntoIter<SocketAddr>, fault::BoxError> {
        let found = self.resolver.lookup_for(&caller, name.as_str()).await?;
        let mut allowed = Vec::with_capacity(found.len());
        for ip in found.iter().copied() {
            if self.policy.allows(ip)? {
                allowed.push(SocketAddr::new(ip, 0));
            }
        }
        if allowed.is_empty() {
            return Err(AddressRefused::Host(name.as_str().to_owned()).into());
        }
        Ok(allowed.into_iter())
    }
}

impl Service<Name> for FilteredResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = fault::BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        // A request's connection begins within the request's own task.
        match CALLER.try_with(Clone::clone) {
            Ok(caller) => Box::pin(self.clone().resolve(caller, name)),
            Err(error) => Box::pin(std::future::ready(Err(error.into()))),
        }
    }
}
